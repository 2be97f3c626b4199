//! A handler that reads one hash, and nothing else.

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::COOKIE};
use http_body_util::Full;
use redis::aio::MultiplexedConnection;
use tower::Service;

use crate::{
    bare_response,
    session_handlers::{Answering, body},
};

/// Reads a client's hash, and how long it lives, in one `HGETALL` and `PTTL`: what a service would pay if it
/// kept sessions by hand, as well as that can be done.
#[derive(Clone)]
pub struct BarePipeline {
    connection: MultiplexedConnection,
    /// The key of each cookie.
    keys: Arc<HashMap<HeaderValue, String>>,
    body: Bytes,
}

impl BarePipeline {
    pub(crate) fn new(
        connection: MultiplexedConnection,
        keys: HashMap<HeaderValue, String>,
    ) -> Self {
        Self {
            connection,
            keys: Arc::new(keys),
            body: body(),
        }
    }
}

impl<B> Service<Request<B>> for BarePipeline {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let (mut connection, body) = (self.connection.clone(), self.body.clone());
        let key = &self.keys[&request.headers()[COOKIE]];
        let mut pipeline = redis::pipe();
        pipeline.cmd("HGETALL").arg(key).cmd("PTTL").arg(key);
        Box::pin(async move {
            let (fields, left): (Vec<(Bytes, Bytes)>, i64) = pipeline
                .query_async(&mut connection)
                .await
                .expect("Redis answers");
            let theme = fields.iter().find(|(name, _)| &name[..] == b"theme");
            assert!(theme.is_some() && left > 0, "the session is there");
            Ok(bare_response(Full::new(body)))
        })
    }
}

impl fmt::Debug for BarePipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarePipeline").finish_non_exhaustive()
    }
}
