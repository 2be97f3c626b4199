//! The service within the cache.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower::ServiceExt;
use tower_keep::{Cache, CacheLayer, ConfigError, types::ResponseBody};
use tower_layer::Layer;
use tower_service::Service;

use super::RouteTable;

/// Sends a request on, and says the class and the tags of its response.
#[derive(Clone, Debug)]
pub(crate) struct Routes<S> {
    table: Arc<RouteTable>,
    /// One for each route, then one for what matches none.
    services: Arc<[Cache<S>]>,
}

impl<S: Clone> Routes<S> {
    pub(crate) fn new(
        table: Arc<RouteTable>,
        cache: &CacheLayer,
        inner: &S,
    ) -> Result<Self, ConfigError> {
        let of_class = |class: Option<&str>| {
            let layer = class.map_or_else(|| Ok(cache.clone()), |class| cache.class(class))?;
            Ok(layer.layer(inner.clone()))
        };
        let services: Result<Vec<_>, ConfigError> = table.classes().map(of_class).collect();
        let mut services = services?;
        services.push(cache.layer(inner.clone()));
        Ok(Self {
            table,
            services: services.into(),
        })
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Routes<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqBody: Body + Send + 'static,
    ResBody: Body + Send + 'static,
    ResBody::Error: Send,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let found = self.table.find(request.uri().path());
        let last = self.services.len() - 1;
        let service = self.services[found.unwrap_or(last)].clone();
        let table = self.table.clone();
        Box::pin(async move {
            let mut response = service.oneshot(request).await?;
            if let Some(directive) = table.directive(found, response.headers()) {
                response.extensions_mut().insert(directive);
            }
            Ok(response)
        })
    }
}
