//! Bans, and other ways to interfere: in all processes.

use std::time::Duration;

use http::StatusCode;
use tower_keep_rate_limit::{Quota, RateLimitHandle, RateLimitLayer, Subject};
use tower_keep_store::Clock;
use tower_keep_test_support::{RedisServer, eventually};

use crate::{
    common::{LONG, Limited, START, field, from, limited, send, status},
    tools::{layer, merchant, process, process_by},
};

const TEN: Duration = Duration::from_secs(10);

fn subject() -> Subject {
    Subject::header("m")
}

async fn peek(handle: &RateLimitHandle) -> (u32, Duration) {
    let status = handle.peek("merchant", &subject()).await.expect("answers");
    let wait = status.retry_after().unwrap_or_default();
    (status.remaining(), wait)
}

/// Two processes by one clock, which ban after three refusals.
fn two(server: &RedisServer, clock: &Clock) -> [RateLimitLayer; 2] {
    let policy = merchant(Quota::per_second(1)).ban_after(3, TEN, TEN * 6);
    [(); 2].map(|()| layer(process_by(server, clock), policy.clone()))
}

/// Uses up the quota, and is refused three times.
async fn misbehave(service: &Limited) {
    assert_eq!(status(service, "m").await, StatusCode::OK);
    for _ in 0..3 {
        assert_eq!(status(service, "m").await, StatusCode::TOO_MANY_REQUESTS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_ban_in_a_row_is_twice_as_long_and_holds_in_both_processes() {
    let server = RedisServer::start();
    let clock = Clock::manual(START);
    let layers = two(&server, &clock);
    let [first, second] = layers.each_ref().map(|layer| limited(layer).0);
    for seconds in [10, 20, 40, 60, 60] {
        misbehave(&first).await;
        let length = Duration::from_secs(seconds);
        for layer in &layers {
            eventually(LONG, async || peek(&layer.handle()).await == (0, length)).await;
        }
        let refused = send(&second, from("m")).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(field(&refused, "retry-after"), Some(&*seconds.to_string()));
        clock.advance(length);
        assert_eq!(peek(&layers[1].handle()).await, (1, Duration::ZERO));
    }
    assert_eq!(layers[0].handle().stats().bans, 5);
    // Whoever behaves for as long as the last one lasted begins anew.
    clock.advance(TEN * 6);
    misbehave(&second).await;
    eventually(LONG, async || peek(&layers[0].handle()).await == (0, TEN)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_is_lifted_in_one_process_is_lifted_in_the_other() {
    let server = RedisServer::start();
    let clock = Clock::manual(START);
    let layers = two(&server, &clock);
    let [first, second] = layers.each_ref().map(|layer| limited(layer).0);
    misbehave(&first).await;
    let banned = async || peek(&layers[1].handle()).await == (0, TEN);
    eventually(LONG, banned).await;
    assert_eq!(status(&second, "m").await, StatusCode::TOO_MANY_REQUESTS);
    clock.advance(Duration::from_secs(2));
    let lifted = layers[0].handle().unban("merchant", &subject()).await;
    lifted.expect("answers");
    eventually(LONG, async || status(&second, "m").await == StatusCode::OK).await;
    assert_eq!(
        status(&first, "m").await,
        StatusCode::TOO_MANY_REQUESTS,
        "used up, not banned"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_banned_or_reset_in_one_process_is_so_in_the_other() {
    let server = RedisServer::start();
    let layers = [(); 2].map(|()| layer(process(&server), merchant(Quota::per_day(3))));
    let [first, second] = layers.each_ref().map(|layer| limited(layer).0);
    let [one, other] = layers.each_ref().map(RateLimitLayer::handle);
    for _ in 0..20 {
        // The reset of the last round has to get there first.
        eventually(LONG, async || status(&second, "m").await == StatusCode::OK).await;
        while status(&second, "m").await == StatusCode::OK {}
        assert_eq!(status(&first, "m").await, StatusCode::TOO_MANY_REQUESTS);
        one.reset("merchant", &subject()).await.expect("answers");
        assert_eq!(
            status(&first, "m").await,
            StatusCode::OK,
            "at once where it was said"
        );
        eventually(LONG, async || status(&second, "m").await == StatusCode::OK).await;
        other
            .ban("merchant", &subject(), TEN * 100)
            .await
            .expect("answers");
        assert_eq!(status(&second, "m").await, StatusCode::TOO_MANY_REQUESTS);
        eventually(LONG, async || peek(&one).await.0 == 0).await;
        assert_eq!(status(&first, "m").await, StatusCode::TOO_MANY_REQUESTS);
        one.reset("merchant", &subject()).await.expect("answers");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adjusted_quota_holds_in_both_processes() {
    let server = RedisServer::start();
    let policy = merchant(Quota::per_day(3)).adjustable();
    let layers = [(); 2].map(|()| layer(process(&server), policy.clone()));
    let handles = layers.each_ref().map(RateLimitLayer::handle);
    let taken = handles[0].take("merchant", &subject(), 1).await;
    assert_eq!(taken.expect("answers"), 1);
    // Of a quota that forgets evenly, the same share stays used.
    for (quota, left) in [(Some(Quota::per_day(3000)), 2000), (None, 2)] {
        let lasts = TEN * 100;
        let adjusted = handles[0]
            .adjust("merchant", &subject(), quota, lasts)
            .await;
        adjusted.expect("answers");
        for handle in &handles {
            eventually(LONG, async || peek(handle).await.0 == left).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_charges_nothing() {
    let server = RedisServer::start();
    let policy = merchant(Quota::per_day(3));
    let layers = [(); 2].map(|()| layer(process(&server), policy.clone()));
    for _ in 0..100 {
        for layer in &layers {
            assert_eq!(peek(&layer.handle()).await, (3, Duration::ZERO));
        }
    }
    assert!(crate::tools::buckets(&server).is_empty());
    let (service, _) = limited(&layers[0]);
    assert_eq!(status(&service, "m").await, StatusCode::OK);
    let before = crate::tools::buckets(&server);
    for layer in &layers {
        assert_eq!(peek(&layer.handle()).await.0, 2);
    }
    assert_eq!(crate::tools::buckets(&server), before);
}
