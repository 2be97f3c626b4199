//! Tower's contract, on every way that a request can take through the layer.

use http::{
    HeaderName, HeaderValue,
    header::{AGE, CACHE_CONTROL},
};
use tower_keep_cache::CacheLayer;
use tower_keep_contract::{Contract, Readiness};
use tower_keep_store::Store;
use tower_keep_test_support::RedisServer;

fn contract(store: impl Fn() -> Store + 'static) -> Contract<CacheLayer> {
    Contract::new(move || CacheLayer::new(store()))
        .readiness(Readiness::Always)
        .adds_to_responses(HeaderName::from_static("cache-status"))
        .adds_to_responses(AGE)
        .adds_to_responses(http::header::DATE)
        .adds_to_responses(http::header::ETAG)
}

fn storing(contract: Contract<CacheLayer>) -> Contract<CacheLayer> {
    contract.response_field(CACHE_CONTROL, HeaderValue::from_static("max-age=60"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_where_nothing_is_stored() {
    let contract = contract(Store::memory);
    contract.run().await;
    contract.run_on_stacks().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_where_responses_are_stored() {
    let contract = storing(contract(Store::memory));
    contract.run().await;
    contract.run_on_stacks().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_on_redis() {
    let server = RedisServer::start();
    let url = server.url();
    let contract = storing(contract(move || Store::connect(&url).expect("a good URL")));
    contract.run().await;
    contract.run_on_stacks().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_while_redis_hangs() {
    let mut server = RedisServer::start();
    server.pause();
    let url = server.url();
    let contract = storing(contract(move || Store::connect(&url).expect("a good URL")));
    contract.run().await;
    server.resume();
}
