//! What the tests of this crate share.

#![allow(dead_code, reason = "each test program uses some of it")]

pub(crate) mod warnings;

use std::{
    convert::Infallible,
    future::Ready,
    future::ready,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Service, ServiceExt};
use tower_keep_rate_limit::{RateLimit, RateLimitLayer};
use tower_keep_store::{Clock, Store, StoreBuilder, Timestamp};
use tower_keep_test_support::RedisServer;
use tower_layer::Layer;

/// A patient deadline: a busy machine is no failure.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// Where the clocks of the tests begin.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// The two stores, each with a clock that the test moves, and the server behind the second.
pub(crate) struct Stores {
    pub(crate) server: RedisServer,
    pub(crate) stores: [(Store, Clock); 2],
}

pub(crate) fn stores() -> Stores {
    let server = RedisServer::start();
    let clocks = [Clock::manual(START), Clock::manual(START)];
    let memory = Store::builder().clock(clocks[0].clone()).memory();
    let redis = builder()
        .clock(clocks[1].clone())
        .connect(&server.url())
        .expect("a good URL");
    let [first, second] = clocks;
    Stores {
        server,
        stores: [(memory, first), (redis, second)],
    }
}

pub(crate) fn builder() -> StoreBuilder {
    Store::builder().deadline(LONG)
}

/// Answers "ok" and counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handler {
    pub(crate) calls: Arc<AtomicU64>,
}

impl Service<Request<Full<Bytes>>> for Handler {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        self.calls.fetch_add(1, Ordering::Relaxed);
        ready(Ok(Response::new(Full::from("ok"))))
    }
}

pub(crate) type Limited = RateLimit<Handler>;

pub(crate) fn limited(layer: &RateLimitLayer) -> (Limited, Arc<AtomicU64>) {
    let handler = Handler::default();
    let calls = handler.calls.clone();
    (layer.layer(handler), calls)
}

pub(crate) type Answer = Response<tower_keep_rate_limit::ResponseBody<Full<Bytes>>>;

pub(crate) async fn send(service: &Limited, request: Request<Full<Bytes>>) -> Answer {
    let response = service.clone().oneshot(request).await;
    response.expect("the layer adds no errors")
}

/// A request of this merchant.
pub(crate) fn from(merchant: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .uri("/api/jobs")
        .header("x-merchant-id", merchant)
        .body(Full::default())
        .expect("a valid request")
}

pub(crate) async fn status(service: &Limited, merchant: &str) -> StatusCode {
    send(service, from(merchant)).await.status()
}

pub(crate) fn field<'a>(response: &'a Answer, name: &str) -> Option<&'a str> {
    let value = response.headers().get(name)?;
    Some(value.to_str().expect("printable"))
}
