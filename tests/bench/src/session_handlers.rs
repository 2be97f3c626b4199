//! Handlers that do one thing with a session, and nothing else.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::Service;
use tower_keep_session::SessionHandle;

use crate::{BODY_BYTES, bare_response};

/// Reads one field of the session, and returns the bytes of [`Bare`](crate::Bare).
#[derive(Clone, Debug)]
pub struct Reads {
    body: Bytes,
}

/// Gives one field of the session a value that it did not have, and returns the same bytes.
#[derive(Clone, Debug)]
pub struct Writes {
    body: Bytes,
    next: Arc<AtomicU64>,
}

impl Reads {
    /// A handler of 1 KiB.
    #[must_use]
    pub fn new() -> Self {
        Self { body: body() }
    }
}

impl Default for Reads {
    fn default() -> Self {
        Self::new()
    }
}

impl Writes {
    /// A handler of 1 KiB.
    #[must_use]
    pub fn new() -> Self {
        Self {
            body: body(),
            next: Arc::new(AtomicU64::new(1_000_000)),
        }
    }
}

impl Default for Writes {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> Service<Request<B>> for Reads {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let handle = SessionHandle::of(request.extensions()).expect("the layer");
        let body = self.body.clone();
        Box::pin(async move {
            let session = handle.load().await.expect("the store answers");
            let theme: Option<String> = session.get("theme").expect("a word");
            assert!(theme.is_some(), "the session is there");
            Ok(bare_response(Full::new(body)))
        })
    }
}

impl<B> Service<Request<B>> for Writes {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let handle = SessionHandle::of(request.extensions()).expect("the layer");
        let (body, next) = (self.body.clone(), self.next.clone());
        Box::pin(async move {
            let session = handle.load().await.expect("the store answers");
            let next = next.fetch_add(1, Ordering::Relaxed);
            session.set("visits", &next).expect("is set");
            Ok(bare_response(Full::new(body)))
        })
    }
}

/// Boxed, as those are that they are measured against.
pub(crate) type Answering =
    Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>;

pub(crate) fn body() -> Bytes {
    Bytes::from(vec![b'x'; BODY_BYTES])
}
