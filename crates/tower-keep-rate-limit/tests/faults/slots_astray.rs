//! Slots, where the server forgets them or counts too many.

use std::time::Duration;

use http::StatusCode;
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer, Subject};
use tower_keep_test_support::{RedisServer, eventually, holds_within};

use crate::common::{LONG, builder, from, limited, send, status};

fn one_slot() -> Policy {
    Policy::new("slots", Quota::concurrent(1)).by(Key::header("x-merchant-id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_is_held_here_is_not_given_again_by_a_server_that_forgot() {
    let server = RedisServer::start();
    let store = builder().connect(&server.url()).expect("a good URL");
    let layer = RateLimitLayer::builder(store).policy(one_slot()).build();
    let (service, _) = limited(&layer.expect("makes sense"));
    let held = send(&service, from("m")).await;
    assert_eq!(held.status(), StatusCode::OK);
    server.command(&["FLUSHALL"]);
    assert_eq!(status(&service, "m").await, StatusCode::TOO_MANY_REQUESTS);
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_was_taken_by_a_call_that_timed_out_comes_back() {
    let mut server = RedisServer::start();
    let patience = Duration::from_millis(300);
    let store = builder()
        .deadline(patience)
        .connect(&server.url())
        .expect("a good URL");
    let layer = RateLimitLayer::builder(store)
        .policy(one_slot())
        .fail_closed()
        .build()
        .expect("makes sense");
    let (service, _) = limited(&layer);
    eventually(LONG, async || {
        status(&service, "warm-up").await == StatusCode::OK
    })
    .await;
    let handle = layer.handle();
    let warmed = Subject::header("warm-up");
    let left = async || {
        handle
            .peek("slots", &warmed)
            .await
            .is_ok_and(|status| status.remaining() == 1)
    };
    eventually(LONG, left).await;
    server.pause();
    let answer = status(&service, "m").await;
    server.resume();
    assert_eq!(answer, StatusCode::SERVICE_UNAVAILABLE);
    let is_free = async || status(&service, "m").await == StatusCode::OK;
    assert!(holds_within(LONG, is_free).await, "taken by nobody");
}
