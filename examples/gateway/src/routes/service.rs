//! A cache for each route.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_keep::{
    Cache, CacheLayer, ConfigError,
    types::{ResponseBody, ResponseFuture},
};
use tower_layer::Layer;
use tower_service::Service;

use super::{RouteTable, told::Told};

/// Answers from the cache, or asks on. What a route's class says of leases and time-outs has to be known before
/// the origin is asked, so the choice of the route stands around the cache.
#[derive(Clone, Debug)]
pub(crate) struct Routes<S> {
    table: Arc<RouteTable>,
    /// One for each route, then one for what matches none. They keep the same.
    caches: Arc<[Cache<Told<S>>]>,
}

impl<S: Clone> Routes<S> {
    pub(crate) fn new(
        table: Arc<RouteTable>,
        cache: &CacheLayer,
        inner: &S,
    ) -> Result<Self, ConfigError> {
        let told = |route| Told::new(inner.clone(), table.clone(), route);
        let of_route = |(route, class): (usize, Option<&str>)| {
            let layer = class.map_or_else(|| Ok(cache.clone()), |class| cache.class(class))?;
            Ok(layer.layer(told(Some(route))))
        };
        let caches: Result<Vec<_>, ConfigError> =
            table.classes().enumerate().map(of_route).collect();
        let mut caches = caches?;
        caches.push(cache.layer(told(None)));
        Ok(Self {
            caches: caches.into(),
            table,
        })
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Routes<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqBody: Body + Send + 'static,
    ResBody: Body + Send + 'static,
    ResBody::Error: Send,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<Told<S>, ReqBody, ResBody>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let found = self.table.find(request.uri().path());
        let last = self.caches.len() - 1;
        // A cache is always ready, and so is its clone.
        self.caches[found.unwrap_or(last)].clone().call(request)
    }
}
