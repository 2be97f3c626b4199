//! What others have made: `tower_governor` in memory, `tower-rate-limit-redis` on the same server.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use redis_0_32::{Client, aio::MultiplexedConnection};
use tower::{Layer, util::MapResponse};
use tower_governor::{
    GovernorError, GovernorLayer, governor::GovernorConfigBuilder, key_extractor::KeyExtractor,
};
use tower_keep_bench::{Bare, MERCHANT, SharedLimits};
use tower_rate_limit_redis::{KeyResolver, RateLimitLayer};

use crate::{asked::Asked, plan::Plan, server::serve, threads::Threads};

pub(crate) fn run(
    plan: &Plan,
    threads: &Threads,
    bare: Asked,
    redis: &SharedLimits,
    [trivial, exact]: [Asked; 2],
) {
    let servers = &threads.servers;
    let boxed = Asked::of(servers.block_on(serve(in_axums_body())));
    let governed = |period, burst| {
        let mut config = GovernorConfigBuilder::default().key_extractor(ByMerchant);
        let config = config.period(period).burst_size(burst).finish();
        let layer = GovernorLayer::new(config.expect("makes sense"));
        Asked::of(servers.block_on(serve(layer.layer(in_axums_body()))))
    };
    let memory = governed(Duration::from_micros(1), 1_000_000);
    let memory_denied = governed(Duration::from_millis(600), 100);
    let connection = servers.block_on(connect(redis));
    // A unit each millisecond is the most that it can do.
    let limited = |interval, burst| {
        let layer = RateLimitLayer::builder()
            .conn(connection.clone())
            .key_resolver(ByMerchant)
            .capacity(burst)
            .emission_interval(Duration::from_millis(interval));
        Asked::of(servers.block_on(serve(layer.build().layer(Bare::new()))))
    };
    let shared = limited(1, u16::MAX);
    let shared_denied = limited(600, 100);

    let rows = [
        ("axum's body", [bare.by_each(), boxed.by_each()]),
        ("tower_governor", [boxed.by_each(), memory.by_each()]),
        (
            "tower_governor, denied",
            [boxed.by_one(), memory_denied.refused()],
        ),
        (
            "tower-rate-limit-redis",
            [trivial.by_each(), shared.by_each()],
        ),
        (
            "tower-rate-limit-redis, denied",
            [bare.by_one(), shared_denied.refused()],
        ),
        (
            "exact / tower-rate-limit-redis",
            [shared.by_each(), exact.by_each()],
        ),
    ];
    for (name, pair) in rows {
        plan.compare(threads, &format!("peers/{name}"), pair, None);
    }
}

type Boxing = MapResponse<Bare, fn(Response<Full<Bytes>>) -> Response<Body>>;

/// The bare handler with the only body that `tower_governor` can refuse with.
fn in_axums_body() -> Boxing {
    MapResponse::new(Bare::new(), |response| response.map(Body::new))
}

async fn connect(redis: &SharedLimits) -> MultiplexedConnection {
    let client = Client::open(redis.server().url()).expect("a good URL");
    let connecting = client.get_multiplexed_async_connection();
    connecting.await.expect("a server that accepts")
}

/// Counts as the others do, by one header.
#[derive(Clone, Debug)]
struct ByMerchant;

impl KeyExtractor for ByMerchant {
    type Key = HeaderValue;

    fn extract<T>(&self, request: &Request<T>) -> Result<HeaderValue, GovernorError> {
        let merchant = request.headers().get(MERCHANT);
        merchant.cloned().ok_or(GovernorError::UnableToExtractKey)
    }
}

impl KeyResolver for ByMerchant {
    type Key = Vec<u8>;
    type ErrorBody = Full<Bytes>;

    fn key<T>(&self, request: &Request<T>) -> Result<Vec<u8>, Response<Full<Bytes>>> {
        let merchant = request.headers().get(MERCHANT);
        let merchant = merchant.map(|merchant| merchant.as_bytes().to_vec());
        merchant.ok_or_else(Response::default)
    }
}
