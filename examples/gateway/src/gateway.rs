//! A gateway, from its configuration to its end.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, sync::watch};
use tower_keep::{CacheHandle, Store};
use tower_layer::Layer;

use crate::{
    admin::Admin,
    config::{AdminConfig, Config},
    error::StartError,
    front::{Admission, Front},
    log::AccessLog,
    proxy::{OriginUrl, Proxy},
    pseudonym::Pseudonym,
    serve::Entrance,
    stack::Stack,
    workers::Workers,
};

/// A gateway that listens, and answers once it [runs](Self::run).
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    front: Arc<Front>,
    stack: Stack,
    listener: TcpListener,
    workers: Workers,
    admin: Option<(TcpListener, Admin)>,
}

impl Gateway {
    /// Checks the configuration, and binds the addresses.
    ///
    /// # Errors
    ///
    /// Something in the configuration makes no sense, or an address is taken. A store that does not answer is
    /// no error: the gateway starts and works without it.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let origin = config.origin.as_deref();
        let origin =
            origin.ok_or_else(|| StartError::new("there is no origin: say --origin URL"))?;
        let origin = OriginUrl::parse(origin)?;
        config.check()?;
        let store = Store::builder()
            .namespace(config.namespace.as_str())
            .memory_limit(config.memory)
            .deadline(config.timeouts.store.0)
            .connect(&config.store)
            .map_err(|error| StartError::because("cannot use the store", error))?;
        let log = if config.access_log {
            AccessLog::to(io::stdout())
        } else {
            AccessLog::off()
        };
        let pseudonym = Pseudonym::new();
        let front = Front {
            admission: Admission::new(&config, &origin, pseudonym.clone()),
            log,
            body_timeout: config.timeouts.body.0,
        };
        let proxy = Proxy::new(&config, origin, pseudonym)?;
        let stack = Stack::new(&config, &store, proxy)?;
        let admin = match &config.admin {
            Some(admin) => Some(open(admin, &stack).await?),
            None => None,
        };
        Ok(Self {
            listener: listen(config.listen).await?,
            workers: Workers::start(config.workers.get())
                .map_err(|error| StartError::because("cannot start all workers", error))?,
            front: Arc::new(front),
            stack,
            admin,
            config,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap_or(self.config.listen)
    }

    /// Where it is looked after, if anywhere.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        let (listener, _) = self.admin.as_ref()?;
        listener.local_addr().ok()
    }

    /// The cache's handle.
    #[must_use]
    pub fn cache(&self) -> CacheHandle {
        self.stack.handles.cache.clone()
    }

    /// Answers until `stop`, then finishes what is under way.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(());
        if let Some((listener, admin)) = self.admin {
            tokio::spawn(admin.serve(listener, stopped));
        }
        let log = self.front.log.clone();
        let cache = self.stack.handles.cache.clone();
        let bound = self.config.timeouts.shutdown.0;
        let Stack {
            cached,
            limit,
            hit_rate,
            ..
        } = self.stack;
        let entrance = Entrance {
            listener: self.listener,
            workers: &self.workers,
            front: self.front,
            config: &self.config,
        };
        // Two types rather than one that is boxed for every request.
        match limit {
            Some(limit) => {
                let service = hit_rate.layer(limit.layer(cached));
                entrance.serve(service, stop).await;
            }
            None => {
                let service = hit_rate.layer(cached);
                entrance.serve(service, stop).await;
            }
        }
        let unfinished = cache.shutdown(bound).await;
        if !unfinished.is_nothing() {
            tracing::warn!(?unfinished, "the cache was not done when the gateway ended");
        }
        drop(stopping);
        log.flush();
    }
}

async fn open(admin: &AdminConfig, stack: &Stack) -> Result<(TcpListener, Admin), StartError> {
    let service = Admin::new(admin, stack.handles.clone())?;
    Ok((listen(admin.listen).await?, service))
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartError::because(format!("cannot listen on {address}"), error))
}
