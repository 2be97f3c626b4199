//! The server behind a store, for layers that need more of it than records: scripts for what must be atomic,
//! and its own commands.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use redis::aio::MultiplexedConnection;

use crate::{
    command::{Command, Reply},
    error::StoreError,
    key::Key,
    redis::Redis,
};

/// A Lua script that a layer runs on the server. It answers with one string of bytes.
#[derive(Clone)]
pub struct Script {
    name: &'static str,
    script: redis::Script,
}

impl Script {
    /// A script of this name (for logs and spans) and code.
    #[must_use]
    pub fn new(name: &'static str, code: &str) -> Self {
        Self {
            name,
            script: redis::Script::new(code),
        }
    }

    pub(crate) fn inner(&self) -> &redis::Script {
        &self.script
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Script").field(&self.name).finish()
    }
}

/// The server behind a [`Store`](crate::Store). Clones share it.
#[derive(Clone)]
pub struct Server {
    redis: Arc<Redis>,
    namespace: Arc<str>,
}

impl Server {
    pub(crate) fn new(redis: Arc<Redis>, namespace: Arc<str>) -> Self {
        Self { redis, namespace }
    }

    /// Makes every connection from now on know `script` before its first use, so that it is not sent in
    /// full with a request. For once, when a layer is made.
    pub fn prepare(&self, script: &Script) {
        self.redis.prepare(script.inner());
    }

    /// Runs a script, in one round trip of at most `deadline`. Should the server not know it, it is sent
    /// in full: a second one, within the same deadline.
    ///
    /// # Errors
    ///
    /// The store did not answer in time, or not with a string; after a [time-out](StoreError::is_timeout)
    /// the script may have run, or may still run.
    pub async fn run(
        &self,
        script: &Script,
        keys: &[Key],
        argument: &[u8],
        deadline: Duration,
    ) -> Result<Bytes, StoreError> {
        self.call(script, keys, &[argument], deadline).await
    }

    /// The same with several arguments.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn call(
        &self,
        script: &Script,
        keys: &[Key],
        arguments: &[&[u8]],
        deadline: Duration,
    ) -> Result<Bytes, StoreError> {
        let mut invocation = script.inner().prepare_invoke();
        for key in keys {
            invocation.key(key.in_namespace(&self.namespace));
        }
        for argument in arguments {
            invocation.arg(*argument);
        }
        let send = |mut connection: MultiplexedConnection| async move {
            invocation.invoke_async::<Bytes>(&mut connection).await
        };
        self.redis.run(script.name, deadline, send).await
    }

    /// Runs commands in their order, in one round trip of at most `deadline`. Not atomic: those of others may
    /// come in between. One that fails is answered with [`Reply::Error`], and keeps no other from running.
    ///
    /// # Errors
    ///
    /// The store did not answer in time; after a [time-out](StoreError::is_timeout) some may have run, or may
    /// still run.
    pub async fn commands(
        &self,
        commands: Vec<Command>,
        deadline: Duration,
    ) -> Result<Vec<Reply>, StoreError> {
        let operation = commands.first().map_or("", Command::name);
        let mut pipeline = redis::Pipeline::with_capacity(commands.len());
        pipeline.ignore_errors();
        for command in commands {
            pipeline.add_command(command.into_redis(&self.namespace));
        }
        let send = |mut connection: MultiplexedConnection| async move {
            pipeline
                .query_async::<Vec<redis::Value>>(&mut connection)
                .await
        };
        let replies = self.redis.run(operation, deadline, send).await?;
        Ok(replies.into_iter().map(Reply::from).collect())
    }

    /// Whether the circuit breaker is open: a step would be refused at once.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.redis.is_suspended()
    }

    /// Runs work in the background, on the runtime on which the store was connected.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.redis.runtime().spawn(work);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("redis", &self.redis)
            .finish()
    }
}
