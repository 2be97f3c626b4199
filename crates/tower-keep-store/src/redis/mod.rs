//! Redis through bb8, with the guard never held over a command.
//!
//! bb8 owns the life of the connections: it makes them, limits them, replaces them. A step checks a
//! multiplexed connection out, clones it, gives it back at once and sends its command on the clone,
//! so that concurrent requests share round trips and no request waits for another's answer.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bb8_redis::bb8::{Pool, QueueStrategy, RunError};
use redis::{
    AsyncConnectionConfig, Client, RedisResult, Script,
    aio::{AsyncPushSender, MultiplexedConnection},
};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};
use tracing::Instrument;

use self::{
    breaker::Breaker,
    link::Link,
    manager::{CONNECT_TIMEOUT, Manager, Tell},
};
use crate::error::{ConnectError, StoreError};

mod breaker;
mod failures;
mod gather;
mod link;
mod manager;

/// A Redis server behind its pool and its breaker.
pub(crate) struct Redis {
    client: Client,
    pool: Pool<Manager>,
    refused: Arc<AtomicBool>,
    breaker: Breaker,
    scripts: Arc<Mutex<Vec<Script>>>,
    runtime: Handle,
    myself: Weak<Self>,
}

impl Redis {
    /// Needs no server yet: connections are made in the background, on this runtime.
    pub(crate) fn new(
        runtime: Handle,
        url: &str,
        connections: u32,
    ) -> Result<Arc<Self>, ConnectError> {
        let scripts = Arc::<Mutex<Vec<Script>>>::default();
        let manager = Manager::new(url, scripts.clone())?;
        let client = manager.client().clone();
        let refused = manager.refused().clone();
        let pool = Pool::builder()
            .max_size(connections)
            .min_idle(connections)
            // Requests that come together then share a connection, and so writes and reads of its socket.
            .queue_strategy(QueueStrategy::Lifo)
            .connection_timeout(CONNECT_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .error_sink(Box::new(Tell))
            .build_unchecked(manager);
        Ok(Arc::new_cyclic(|myself| Self {
            client,
            pool,
            refused,
            breaker: Breaker::default(),
            scripts,
            runtime,
            myself: myself.clone(),
        }))
    }

    /// Every connection made from now on knows this script.
    pub(crate) fn prepare(&self, script: &Script) {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        if scripts
            .iter()
            .all(|known| known.get_hash() != script.get_hash())
        {
            scripts.push(script.clone());
        }
    }

    /// Runs one step within `deadline`, checkout included. Spans and logs name the operation, never a key or
    /// a value.
    pub(crate) async fn run<T, F>(
        &self,
        operation: &'static str,
        deadline: Duration,
        step: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let span = tracing::trace_span!("store.step", operation);
        let result = self.guarded(deadline, step).instrument(span).await;
        if let Err(error) = &result {
            tracing::debug!(operation, %error, "a store step failed");
        }
        result
    }

    /// Runs one step, unless the breaker is open, and tells it how that went.
    async fn guarded<T, F>(
        &self,
        deadline: Duration,
        step: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        if self.breaker.is_open() {
            return Err(StoreError::unavailable());
        }
        let sent = Instant::now();
        let result = self.attempt(sent, deadline, step).await;
        match &result {
            Err(error) if error.is_timeout() || error.is_unavailable() => {
                if self.breaker.failed(sent) {
                    self.watch_for_recovery();
                }
            }
            _ => self.breaker.succeeded(),
        }
        result
    }

    /// Runs one step that nobody waits for, whatever the breaker says.
    pub(crate) async fn insist<T, F>(
        &self,
        deadline: Duration,
        step: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        self.attempt(Instant::now(), deadline, step).await
    }

    /// A connection of one's own, for commands that block. It lives as long as the link.
    pub(crate) async fn dedicated(&self) -> RedisResult<Link> {
        self.pool.dedicated_connection().await
    }

    /// A connection of one's own, for what the server says unasked. `heard` is called for each such thing,
    /// and last for the loss of the connection; it must not block.
    pub(crate) async fn listening(
        &self,
        heard: impl AsyncPushSender,
    ) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(None)
            .set_push_sender(heard);
        self.client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.breaker.is_open()
    }

    async fn attempt<T, F>(
        &self,
        sent: Instant,
        deadline: Duration,
        step: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let end = sent + deadline.min(LONGEST_DEADLINE);
        let Link {
            connection,
            health,
            driver: _alive,
        } = timeout_at(end, self.checkout())
            .await
            .unwrap_or_else(|_| Err(StoreError::unavailable()))?;
        match timeout_at(end, step(connection)).await {
            Ok(Ok(value)) => {
                health.answered();
                Ok(value)
            }
            Ok(Err(error)) => {
                health.failed(&error);
                Err(error.into())
            }
            Err(_) => {
                health.timed_out(sent);
                Err(StoreError::timeout())
            }
        }
    }

    /// The guard lives for one line. The pool is asked as long as the server is only slow to take a connection: a
    /// step that has more time than one attempt has it for this, too.
    async fn checkout(&self) -> Result<Link, StoreError> {
        loop {
            match self.pool.get().await {
                Ok(guard) => return Ok(guard.clone()),
                Err(RunError::User(error)) => return Err(error.into()),
                Err(RunError::TimedOut) if self.refused.load(Ordering::Relaxed) => {
                    return Err(StoreError::unavailable());
                }
                Err(RunError::TimedOut) => {}
            }
        }
    }

    /// Asks now and then whether the server is back, so that no request has to find out.
    fn watch_for_recovery(&self) {
        tracing::warn!("the store does not answer: circuit breaker open");
        let myself = self.myself.clone();
        self.runtime.spawn(async move {
            loop {
                tokio::time::sleep(PROBE_INTERVAL).await;
                let Some(redis) = myself.upgrade() else {
                    return;
                };
                let ping = |mut connection: MultiplexedConnection| async move {
                    redis::cmd("PING").query_async::<()>(&mut connection).await
                };
                let sent = Instant::now();
                if redis.attempt(sent, PROBE_DEADLINE, ping).await.is_ok() {
                    redis.breaker.close();
                    tracing::info!("the store answers again: circuit breaker closed");
                    return;
                }
            }
        });
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("connections", &self.pool.state().connections)
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}

/// A deadline is added to an instant, which must not overflow.
pub(crate) const LONGEST_DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// How often a silent server is asked: well within the second in which its return is to be noticed.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);

/// How long a probe may take. Longer than a request's step: the connection may have to be made.
const PROBE_DEADLINE: Duration = Duration::from_millis(300);
