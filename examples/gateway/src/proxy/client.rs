//! Connections to the origin.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use http::Uri;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::net::TcpStream;
use tower_service::Service;

use super::{OriginUrl, RequestBody};
use crate::config::{Config, Protocol};

/// Sends requests to the origin.
pub(super) type Client = legacy::Client<ToOrigin, RequestBody>;

/// Connects to the origin, under whatever name it is asked for.
#[derive(Clone, Debug)]
pub(super) struct ToOrigin {
    connector: HttpConnector,
    origin: Uri,
}

pub(super) fn client(config: &Config, origin: &OriginUrl) -> Client {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(config.timeouts.connect.0));
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(config.pool.idle_timeout.0)
        .pool_max_idle_per_host(config.pool.idle)
        // Only what was never sent is sent again.
        .retry_canceled_requests(true)
        .set_host(false);
    if config.pool.protocol == Protocol::H2c {
        builder.http2_only(true);
    }
    builder.build(ToOrigin {
        connector,
        origin: origin.uri().clone(),
    })
}

impl Service<Uri> for ToOrigin {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<TcpStream>>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connector.poll_ready(cx).map_err(io::Error::other)
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connecting = self.connector.call(self.origin.clone());
        Box::pin(async move { connecting.await.map_err(io::Error::other) })
    }
}
