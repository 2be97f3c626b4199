//! Limits on a real Redis, and the bare calls of scripts on the same.

use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer, RateLimitLayerBuilder};
use tower_keep_store::Store;
use tower_keep_test_support::RedisServer;

use crate::{
    BareScript,
    connection::{connect, store_on},
    evalsha::{TEXTBOOK, TRIVIAL},
    request::MERCHANT,
};

/// A Redis server, and a store on it.
#[derive(Debug)]
pub struct SharedLimits {
    store: Store,
    // Ends last.
    server: RedisServer,
}

impl SharedLimits {
    /// Starts the server.
    ///
    /// # Panics
    ///
    /// If `redis-server` is not on the `PATH`.
    pub async fn start() -> Self {
        let server = RedisServer::start();
        let store = store_on(&server).await;
        Self { store, server }
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &RedisServer {
        &self.server
    }

    /// A layer on it.
    pub fn builder(&self) -> RateLimitLayerBuilder {
        RateLimitLayer::builder(self.store.clone())
    }

    /// A layer with one policy on it.
    #[must_use]
    pub fn layer(&self, policy: Policy) -> RateLimitLayer {
        self.builder().policy(policy).build().expect("makes sense")
    }

    /// A handler that runs a script that does nothing.
    pub async fn trivial(&self) -> BareScript {
        BareScript::load(connect(&self.server).await, TRIVIAL).await
    }

    /// A handler that limits by a script of its own.
    pub async fn textbook(&self) -> BareScript {
        BareScript::load(connect(&self.server).await, TEXTBOOK).await
    }
}

/// A million in each second for each merchant: more than is ever reached.
pub fn plenty(name: &'static str) -> Policy {
    Policy::new(name, Quota::per_second(1_000_000)).by(Key::header(MERCHANT))
}

/// A hundred in each minute for each merchant: reached at once.
pub fn scarce(name: &'static str) -> Policy {
    Policy::new(name, Quota::per_minute(100)).by(Key::header(MERCHANT))
}
