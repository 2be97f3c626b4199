use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::Request;
use tower::{Layer, Service, ServiceExt};

/// Keeps the contract in the other way: always ready, the inner service is readied in the call.
#[derive(Clone, Copy)]
pub(crate) struct AlwaysReady;

impl<S> Layer<S> for AlwaysReady {
    type Service = Always<S>;

    fn layer(&self, inner: S) -> Always<S> {
        Always { inner }
    }
}

#[derive(Clone)]
pub(crate) struct Always<S> {
    inner: S,
}

impl<S, ReqBody> Service<Request<ReqBody>> for Always<S>
where
    S: Service<Request<ReqBody>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    ReqBody: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let inner = self.inner.clone();
        Box::pin(inner.oneshot(request))
    }
}
