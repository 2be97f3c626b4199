//! Sessions on a real Redis, and the bare read of the same values.

use std::collections::HashMap;

use http::{Response, header::SET_COOKIE};
use tower::{Layer, Service, service_fn};
use tower_keep_session::{Session, SessionHandle, SessionLayer};
use tower_keep_test_support::RedisServer;

use crate::{
    BarePipeline, Request,
    connection::{connect, store_on},
    get,
};

/// A Redis server, and sessions of three fields on it: one for each client, without a user, and one of a user.
#[derive(Debug)]
pub struct SharedSessions {
    /// The layer.
    pub layer: SessionLayer,
    /// What each client sends as `Cookie`.
    pub cookies: Vec<String>,
    /// The same, of clients who are logged in.
    pub of_users: Vec<String>,
    /// Reads the same three fields from hashes, as if sessions were kept by hand.
    pub bare: BarePipeline,
    server: RedisServer,
}

impl SharedSessions {
    /// Starts the server and a session for each client.
    ///
    /// # Panics
    ///
    /// If `redis-server` is not on the `PATH`.
    pub async fn start(clients: usize) -> Self {
        let server = RedisServer::start();
        let store = store_on(&server).await;
        let layer = SessionLayer::new(store);
        let (mut cookies, mut keys) = (Vec::new(), HashMap::new());
        for _ in 0..clients {
            let cookie = signed_in(&layer, None).await;
            let key = format!("by-hand:{}", keys.len());
            keep_by_hand(&server, &key);
            keys.insert(cookie.parse().expect("a cookie"), key);
            cookies.push(cookie);
        }
        let mut of_users = Vec::new();
        for client in 0..clients {
            of_users.push(signed_in(&layer, Some(&format!("u-{client}"))).await);
        }
        Self {
            layer,
            cookies,
            of_users,
            bare: BarePipeline::new(connect(&server).await, keys),
            server,
        }
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &RedisServer {
        &self.server
    }
}

/// Makes a session of three fields, of a user or of nobody; the cookie of its client.
///
/// # Panics
///
/// If there is none.
pub async fn signed_in(layer: &SessionLayer, user: Option<&str>) -> String {
    let user = user.map(str::to_owned);
    let mut service = layer.layer(service_fn(async |request: Request| {
        let handle = SessionHandle::of(request.extensions()).expect("the layer");
        let session = handle.load().await.expect("the store answers");
        fill(&session, user.clone()).await;
        Ok::<_, std::convert::Infallible>(Response::new(
            http_body_util::Empty::<bytes::Bytes>::new(),
        ))
    }));
    let answer = service.call(get("/")).await.expect("an answer");
    let line = answer.headers()[SET_COOKIE].to_str().expect("printable");
    line.split(';').next().expect("a pair").to_owned()
}

async fn fill(session: &Session, user: Option<String>) {
    session.set("theme", &"dark").expect("is set");
    session.set("visits", &7).expect("is set");
    session.set("items", &[3, 14, 15]).expect("is set");
    if let Some(user) = user {
        session.login(user, 1).await.expect("logs in");
    }
}

/// What [`fill`] puts into a session, as a hash.
fn keep_by_hand(server: &RedisServer, key: &str) {
    let fields = ["theme", "\"dark\"", "visits", "7", "items", "[3,14,15]"];
    server.command(&[&["HSET", key], &fields[..]].concat());
    server.command(&["PEXPIRE", key, DAY]);
}

/// In milliseconds.
const DAY: &str = "86400000";
