//! `tower-sessions` on the same kind of server, as its documentation sets it up.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, header::SET_COOKIE};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_keep_test_support::RedisServer;
use tower_sessions::{Expiry, Session, SessionManagerLayer, cookie::time};
use tower_sessions_redis_store::{
    RedisStore,
    fred::prelude::{ClientLike, Config, Pool},
};

use crate::{
    bare_response, get,
    session_handlers::{Answering, body},
};

/// Sessions of three fields, one for each client.
#[derive(Clone, Debug)]
pub struct PeerSessions {
    /// The layer; its sessions end when nobody wrote to them for 24 hours.
    pub layer: SessionManagerLayer<RedisStore<Pool>>,
    /// What each client sends as `Cookie`.
    pub cookies: Vec<String>,
}

impl PeerSessions {
    /// Makes a session for each client.
    ///
    /// # Panics
    ///
    /// If the server does not accept.
    pub async fn start(server: &RedisServer, clients: usize) -> Self {
        let config = Config::from_url(&server.url()).expect("a good URL");
        let pool = Pool::new(config, None, None, None, CONNECTIONS).expect("makes sense");
        pool.init().await.expect("a server that accepts");
        let expiry = Expiry::OnInactivity(time::Duration::hours(24));
        let layer = SessionManagerLayer::new(RedisStore::new(pool)).with_expiry(expiry);
        let mut peer = Self {
            layer,
            cookies: Vec::new(),
        };
        for _ in 0..clients {
            let cookie = peer.begin().await;
            peer.cookies.push(cookie);
        }
        peer
    }

    /// Makes one more session; the cookie of its client.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub async fn begin(&self) -> String {
        let mut service = self
            .layer
            .layer(service_fn(|request: crate::Request| async move {
                let session = session(&request);
                session.insert("theme", "dark").await.expect("is set");
                session.insert("visits", 7).await.expect("is set");
                session.insert("items", [3, 14, 15]).await.expect("is set");
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
            }));
        let answer = service.call(get("/")).await.expect("an answer");
        let line = answer.headers()[SET_COOKIE].to_str().expect("printable");
        line.split(';').next().expect("a pair").to_owned()
    }
}

/// Reads one field of the peer's session, and returns the bytes of [`Bare`](crate::Bare).
#[derive(Clone, Debug)]
pub struct PeerReads {
    body: Bytes,
}

impl PeerReads {
    /// A handler of 1 KiB.
    #[must_use]
    pub fn new() -> Self {
        Self { body: body() }
    }
}

impl Default for PeerReads {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> Service<Request<B>> for PeerReads {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let (session, body) = (session(&request), self.body.clone());
        Box::pin(async move {
            let theme: Option<String> = session.get("theme").await.expect("a word");
            assert!(theme.is_some(), "the session is there");
            Ok(bare_response(Full::new(body)))
        })
    }
}

fn session<B>(request: &Request<B>) -> Session {
    let session = request.extensions().get::<Session>();
    session.expect("the layer").clone()
}

/// As many as its documentation has.
const CONNECTIONS: usize = 6;
