//! HTTP/1.1: one request after another on each connection.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Response, Uri};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tower_service::Service;

use super::{ConnectError, Connector, RequestBody};
use crate::{
    config::Config,
    proxy::connection::{HasAnswered, Offer, OriginStream},
};

pub(super) type Http1 = legacy::Client<ToOrigin, RequestBody>;

/// Connects to the origin, under whatever name it is asked for.
#[derive(Clone, Debug)]
pub(super) struct ToOrigin(Connector);

pub(super) fn client(config: &Config, connector: Connector) -> Http1 {
    legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(config.pool.idle_timeout.0)
        .pool_max_idle_per_host(config.pool.idle)
        // Only what was never sent is sent again.
        .retry_canceled_requests(true)
        .set_host(false)
        .build(ToOrigin(connector))
}

/// Of the connection that this came on.
pub(super) fn note(answer: &Response<Incoming>) {
    if let Some(has_answered) = answer.extensions().get::<HasAnswered>() {
        has_answered.set();
    }
}

impl Service<Uri> for ToOrigin {
    type Response = TokioIo<OriginStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.0.clone();
        Box::pin(async move { connector.connect(Offer::Http1).await.map(TokioIo::new) })
    }
}
