//! How bb8 makes our connections and judges them.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bb8_redis::bb8::{ErrorSink, ManageConnection};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, ProtocolVersion,
    PushInfo, PushKind, RedisError, Script, aio::MultiplexedConnection, io::tcp::TcpSettings,
};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
};

use super::{
    gather::Gathering,
    link::{Driver, Health, Link},
};
use crate::error::ConnectError;

/// Makes [`Link`]s. Judging one reads a flag: no `PING`, no I/O on the way of a request.
#[derive(Debug)]
pub(crate) struct Manager {
    client: Client,
    scripts: Arc<Mutex<Vec<Script>>>,
    refused: Arc<AtomicBool>,
}

impl Manager {
    /// For the server at `url`; every new connection knows `scripts` before its first use.
    pub(super) fn new(url: &str, scripts: Arc<Mutex<Vec<Script>>>) -> Result<Self, ConnectError> {
        let invalid = |error| ConnectError::caused("the store URL is not valid", error);
        let client = Client::open(url).map_err(invalid)?;
        let info = client.get_connection_info().clone();
        let tcp = TcpSettings::default().set_nodelay(true);
        // Only RESP3 tells of a lost connection before the next command meets it.
        let protocol = if url.contains("protocol=") {
            info.redis_settings().protocol()
        } else {
            ProtocolVersion::RESP3
        };
        let settings = info.redis_settings().clone().set_protocol(protocol);
        let info = info.set_tcp_settings(tcp).set_redis_settings(settings);
        let client = Client::open(info).map_err(invalid)?;
        Ok(Self {
            client,
            scripts,
            refused: Arc::default(),
        })
    }
}

impl Manager {
    /// Connects. Writes are [gathered](Gathering), except through TLS, where redis-rs makes the stream.
    async fn open(
        &self,
        config: AsyncConnectionConfig,
    ) -> Result<(MultiplexedConnection, Option<Arc<Driver>>), RedisError> {
        let info = self.client.get_connection_info();
        match info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                drive(info, stream, config).await
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => {
                drive(info, UnixStream::connect(path).await?, config).await
            }
            _ => {
                let connecting = self
                    .client
                    .get_multiplexed_async_connection_with_config(&config);
                Ok((connecting.await?, None))
            }
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether the last attempt to connect was turned down, rather than not answered in time.
    pub(super) fn refused(&self) -> &Arc<AtomicBool> {
        &self.refused
    }

    async fn link(&self) -> Result<Link, RedisError> {
        let health = Arc::<Health>::default();
        let witness = health.clone();
        let config = AsyncConnectionConfig::new()
            // Each command has the deadline of the layer that sent it.
            .set_response_timeout(None)
            .set_push_sender(move |push: PushInfo| -> Result<(), Unheard> {
                if push.kind == PushKind::Disconnection {
                    witness.declare_dead();
                }
                Ok(())
            });
        let open = self.open(config);
        let (connection, driver) = match tokio::time::timeout(CONNECT_TIMEOUT, open).await {
            Ok(opened) => opened?,
            Err(_) => return Err(late("connecting timed out")),
        };
        self.prepare(&connection).await?;
        Ok(Link {
            connection,
            health,
            driver,
        })
    }

    /// Gives the server the scripts that it does not know. One that is not there in time is sent in full with
    /// its first use: a server far away need not take in all of them before it is of any use.
    ///
    /// # Errors
    ///
    /// The connection broke, or nothing was heard: a server that accepts and then hangs must not hold the pool's
    /// place for ever.
    async fn prepare(&self, connection: &MultiplexedConnection) -> Result<(), RedisError> {
        let scripts = self
            .scripts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if scripts.is_empty() {
            return Ok(());
        }
        let mut asking = redis::cmd("SCRIPT");
        asking.arg("EXISTS");
        for script in &scripts {
            asking.arg(script.get_hash());
        }
        let mut asked = connection.clone();
        let known = asking.query_async::<Vec<bool>>(&mut asked);
        let known = match tokio::time::timeout(CONNECT_TIMEOUT, known).await {
            Ok(known) => known?,
            Err(_) => return Err(late("preparing the connection timed out")),
        };
        // All at once, not one after another.
        let mut loading = JoinSet::new();
        for (script, is_known) in scripts.into_iter().zip(known) {
            if !is_known {
                let mut connection = connection.clone();
                loading.spawn(async move { script.load_async(&mut connection).await });
            }
        }
        let loaded = async {
            while let Some(loaded) = loading.join_next().await {
                loaded.map_err(|_| (ErrorKind::Io, "preparing the connection ended"))??;
            }
            Ok(())
        };
        let loaded = tokio::time::timeout(LOAD_TIMEOUT, loaded).await;
        loaded.unwrap_or(Ok(()))
    }
}

/// Sets up a connection on this stream, and runs it.
async fn drive(
    info: &ConnectionInfo,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    config: AsyncConnectionConfig,
) -> Result<(MultiplexedConnection, Option<Arc<Driver>>), RedisError> {
    let stream = Gathering::new(stream);
    let settings = info.redis_settings();
    let (connection, driver) =
        MultiplexedConnection::new_with_config(settings, stream, config).await?;
    let driver = Driver(tokio::spawn(driver).abort_handle());
    Ok((connection, Some(Arc::new(driver))))
}

fn late(what: &'static str) -> RedisError {
    io::Error::new(io::ErrorKind::TimedOut, what).into()
}

impl ManageConnection for Manager {
    type Connection = Link;
    type Error = RedisError;

    async fn connect(&self) -> Result<Link, RedisError> {
        let made = self.link().await;
        let refused = made.as_ref().is_err_and(|error| !error.is_timeout());
        self.refused.store(refused, Ordering::Relaxed);
        made
    }

    async fn is_valid(&self, link: &mut Link) -> Result<(), RedisError> {
        if link.health.is_dead() {
            Err((ErrorKind::Io, "the connection is dead").into())
        } else {
            Ok(())
        }
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        link.health.is_dead()
    }
}

/// Says in the log what the pool met in the background.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tell;

impl ErrorSink<RedisError> for Tell {
    fn sink(&self, error: RedisError) {
        tracing::debug!(%error, "a store connection was lost or could not be made");
    }

    fn boxed_clone(&self) -> Box<dyn ErrorSink<RedisError>> {
        Box::new(*self)
    }
}

/// The witness of a push cannot fail to hear it.
#[derive(Debug)]
enum Unheard {}

/// Longest time to connect, and bb8's pause between attempts (at most half of it): what bounds how
/// soon a server that came back is noticed.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);

/// Longest time that the first connection to a server waits for it to take in scripts.
const LOAD_TIMEOUT: Duration = Duration::from_secs(1);
