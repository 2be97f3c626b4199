//! Tower's contract, on every way that a request can take through the layer.

use std::time::Duration;

use http::HeaderName;
use tower_keep_contract::{Contract, Readiness};
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer};
use tower_keep_store::Store;
use tower_keep_test_support::RedisServer;

fn contract(layer: impl Fn() -> RateLimitLayer + 'static) -> Contract<RateLimitLayer> {
    Contract::new(layer)
        .readiness(Readiness::PassedThrough)
        .adds_to_responses(HeaderName::from_static("ratelimit"))
        .adds_to_responses(HeaderName::from_static("ratelimit-policy"))
}

/// Limits that no check of the suite reaches, of all kinds.
fn policies(store: Store) -> RateLimitLayer {
    let everybody = || Key::from_fn(|_| Some("everybody"));
    RateLimitLayer::builder(store)
        .policy(Policy::new("rate", Quota::per_second(100_000)).by(everybody()))
        .policy(Policy::new("strict", Quota::per_minute(100_000).strict()).by(everybody()))
        .policy(Policy::new("window", Quota::per_day(100_000).fixed_window()).by(everybody()))
        .policy(Policy::new("slots", Quota::concurrent(10_000)).by(everybody()))
        .policy(Policy::new("failures", Quota::per_minute(100_000)).count_if(|_| false))
        .build()
        .expect("makes sense")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_on_the_embedded_store() {
    let contract = contract(|| policies(Store::memory()));
    contract.run().await;
    contract.run_on_stacks().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_on_redis() {
    let server = RedisServer::start();
    let url = server.url();
    let store = move || {
        Store::builder()
            .deadline(Duration::from_secs(5))
            .connect(&url)
    };
    let contract = contract(move || policies(store().expect("a good URL")));
    contract.run().await;
    contract.run_on_stacks().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_with_leases() {
    let server = RedisServer::start();
    let url = server.url();
    let contract = contract(move || {
        RateLimitLayer::builder(Store::connect(&url).expect("a good URL"))
            .policy(Policy::new("rate", Quota::per_second(100_000)))
            .allow_leases(0.1)
            .build()
            .expect("makes sense")
    });
    contract.run().await;
    contract.run_on_stacks().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_while_redis_hangs() {
    let mut server = RedisServer::start();
    server.pause();
    let url = server.url();
    let contract = contract(move || policies(Store::connect(&url).expect("a good URL")));
    contract.run().await;
    server.resume();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_where_no_policy_concerns_a_request() {
    let contract = contract(|| {
        let policy = Policy::new("nobody", Quota::per_second(1)).allow_when(|_| true);
        let layer = RateLimitLayer::builder(Store::memory()).policy(policy);
        layer.build().expect("makes sense")
    });
    contract.run().await;
    contract.run_on_stacks().await;
}
