//! The service within the cache.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::ServiceExt;
use tower_service::Service;

use super::RouteTable;

/// Sends a request on, and tells the cache what its route says of the response.
#[derive(Clone, Debug)]
pub(crate) struct Told<S> {
    inner: S,
    table: Arc<RouteTable>,
    route: Option<usize>,
}

impl<S> Told<S> {
    pub(super) fn new(inner: S, table: Arc<RouteTable>, route: Option<usize>) -> Self {
        Self {
            inner,
            table,
            route,
        }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Told<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqBody: Send + 'static,
    ResBody: Send + 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (inner, table, route) = (self.inner.clone(), self.table.clone(), self.route);
        Box::pin(async move {
            let mut response = inner.oneshot(request).await?;
            if let Some(directive) = table.directive(route, response.headers()) {
                response.extensions_mut().insert(directive);
            }
            Ok(response)
        })
    }
}
