//! The second level on a real Redis, and the bare `GET` of the same records.

use std::{collections::HashMap, time::Duration};

use tower::Layer;
use tower_keep_cache::{Cache, CacheLayer, Class, Classes};
use tower_keep_test_support::{RedisServer, Reply, eventually};

use crate::{
    Bare, BareGet, Request,
    connection::{PATIENCE, connect, store_on},
    exchange, get,
};

/// A Redis server, a cache in front of it whose first level never answers, and a handler that reads
/// the same records without it.
#[derive(Debug)]
pub struct SecondLevel {
    /// Answers each of the paths from Redis.
    pub cached: Cache<Bare>,
    /// Answers each of the paths with one bare `GET`.
    pub bare: BareGet,
    /// One path for each task: requests for one and the same would share a read.
    pub paths: Vec<String>,
    /// The layer, to invalidate.
    pub layer: CacheLayer,
    // Ends last.
    _server: RedisServer,
}

impl SecondLevel {
    /// Starts the server and stores one response for each task.
    ///
    /// # Panics
    ///
    /// If `redis-server` is not on the `PATH`.
    pub async fn start(tasks: usize) -> Self {
        let server = RedisServer::start();
        let store = store_on(&server).await;
        let class = Class::fresh_for(Duration::from_secs(86_400)).first_level(false);
        let layer = CacheLayer::builder(store)
            .classes(Classes::new().class("second-level", class))
            .class("second-level")
            .build()
            .expect("options that go together");
        let cached = layer.layer(Bare::new());
        let paths: Vec<_> = (0..tasks).map(|task| format!("/items/{task}")).collect();
        let names = store_all(&cached, &paths, &server).await;
        Self {
            cached,
            bare: BareGet::new(connect(&server).await, names),
            paths,
            layer,
            _server: server,
        }
    }

    /// The request of one task.
    #[must_use]
    pub fn request(&self, task: usize) -> Request {
        get(&self.paths[task])
    }
}

/// Fills the cache one by one; whatever key is new on the server then is that of the path.
async fn store_all(
    cached: &Cache<Bare>,
    paths: &[String],
    server: &RedisServer,
) -> HashMap<String, String> {
    let mut names = HashMap::new();
    for path in paths {
        exchange(&mut cached.clone(), get(path)).await;
        eventually(PATIENCE, async || records(server).len() > names.len()).await;
        let known: Vec<&String> = names.values().collect();
        let new = records(server)
            .into_iter()
            .find(|name| !known.contains(&name))
            .expect("a record more than before");
        names.insert(path.clone(), new);
    }
    names
}

fn records(server: &RedisServer) -> Vec<String> {
    match server.command(&["KEYS", "keep:c:*"]) {
        Reply::Array(Some(names)) => names.iter().filter_map(Reply::text).collect(),
        other => panic!("KEYS answers with a list, not {other:?}"),
    }
}
