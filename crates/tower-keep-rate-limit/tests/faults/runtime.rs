//! Requests on another runtime than the store.

use std::time::Duration;

use http::StatusCode;
use tokio::runtime::Runtime;
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer};
use tower_keep_store::Store;
use tower_keep_test_support::{RedisServer, eventually};

use crate::common::{LONG, limited, status};

#[test]
fn a_request_ends_though_the_runtime_on_which_the_store_was_connected_is_gone() {
    let server = RedisServer::start();
    let first = Runtime::new().expect("a runtime");
    let (service, _) = first.block_on(async {
        let store = Store::connect(&server.url()).expect("a good URL");
        let policy = Policy::new("a", Quota::per_hour(1000)).by(Key::header("x-merchant-id"));
        let layer = RateLimitLayer::builder(store).policy(policy).build();
        let (service, calls) = limited(&layer.expect("makes sense"));
        eventually(LONG, async || status(&service, "m").await == StatusCode::OK).await;
        (service, calls)
    });
    drop(first);
    let second = Runtime::new().expect("a runtime");
    let answer = second.block_on(async {
        let answer = status(&service, "m");
        tokio::time::timeout(Duration::from_secs(5), answer).await
    });
    assert!(answer.is_ok(), "still waiting after five seconds");
}
