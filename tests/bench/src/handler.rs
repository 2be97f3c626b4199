//! The handlers that everything is measured against.

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LAST_MODIFIED},
};
use http_body_util::Full;
use redis::aio::MultiplexedConnection;
use tower::Service;

/// Returns the same bytes to everyone, at once.
#[derive(Clone, Debug)]
pub struct Bare {
    body: Bytes,
}

impl Bare {
    /// A handler of 1 KiB.
    #[must_use]
    pub fn new() -> Self {
        Self {
            body: Bytes::from(vec![b'x'; BODY_BYTES]),
        }
    }
}

impl Default for Bare {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> Service<Request<B>> for Bare {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(bare_response(Full::new(self.body.clone()))))
    }
}

/// Asks Redis for one record and returns the end of it: what a service would pay if it cached by hand,
/// as well as that can be done.
#[derive(Clone)]
pub struct BareGet {
    connection: MultiplexedConnection,
    /// The record of each path.
    names: Arc<HashMap<String, String>>,
}

impl BareGet {
    pub(crate) fn new(connection: MultiplexedConnection, names: HashMap<String, String>) -> Self {
        Self {
            connection,
            names: Arc::new(names),
        }
    }
}

impl<B> Service<Request<B>> for BareGet {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("GET");
        command.arg(&self.names[request.uri().path()]);
        Box::pin(async move {
            let record: Bytes = command
                .query_async(&mut connection)
                .await
                .expect("Redis answers");
            let body = record.slice(record.len() - BODY_BYTES..);
            Ok(bare_response(Full::new(body)))
        })
    }
}

impl fmt::Debug for BareGet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BareGet").finish_non_exhaustive()
    }
}

/// A response with the fields that most responses of an API have.
pub fn bare_response<B>(body: B) -> Response<B> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=86400"),
    );
    headers.insert(ETAG, HeaderValue::from_static("\"33a64df551425fcc\""));
    headers.insert(
        LAST_MODIFIED,
        HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"),
    );
    response
}

/// The length of every body.
pub const BODY_BYTES: usize = 1024;
