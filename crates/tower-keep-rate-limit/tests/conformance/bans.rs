//! Bans for too many refusals, and what a ban leaves as it is.

use std::time::Duration;

use http::StatusCode;
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitHandle, RateLimitLayer, Subject};
use tower_keep_store::Store;
use tower_keep_test_support::{RedisServer, Reply, eventually};

use crate::{
    common::{LONG, Limited, limited, status},
    schedules::stores,
};

const SECOND: Duration = Duration::from_secs(1);

fn strict_one() -> Policy {
    Policy::new("p", Quota::per_minute(1).strict()).by(Key::header("x-merchant-id"))
}

fn build(store: &Store, policy: Policy) -> (Limited, RateLimitHandle) {
    let layer = RateLimitLayer::builder(store.clone()).policy(policy);
    let layer = layer.build().expect("makes sense");
    (limited(&layer).0, layer.handle())
}

async fn refused(service: &Limited, times: u32) {
    for _ in 0..times {
        assert_eq!(status(service, "m").await, StatusCode::TOO_MANY_REQUESTS);
    }
}

async fn wait(handle: &RateLimitHandle) -> Duration {
    let status = handle.peek("p", &Subject::header("m")).await;
    status.expect("answers").retry_after().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_ban_in_a_row_is_twice_as_long_up_to_the_longest() {
    let server = RedisServer::start();
    for store in stores(&server) {
        let hour = 3600 * SECOND;
        let policy = strict_one().ban_after(3, hour, 3 * hour);
        let (service, handle) = build(&store, policy);
        for hours in [1, 2, 3, 3] {
            assert_eq!(status(&service, "m").await, StatusCode::OK);
            refused(&service, 2).await;
            assert!(wait(&handle).await < 2 * 60 * SECOND, "two are not enough");
            refused(&service, 1).await;
            eventually(LONG, async || wait(&handle).await == hours * hour).await;
            // Whoever is banned is not banned for longer by asking.
            refused(&service, 5).await;
            store.clock().advance(hours * hour - SECOND);
            assert_eq!(wait(&handle).await, SECOND);
            store.clock().advance(SECOND);
        }
        assert_eq!(handle.stats().bans, 4);
        // As long as the last ban lasted without another: it begins anew.
        store.clock().advance(3 * hour);
        assert_eq!(status(&service, "m").await, StatusCode::OK);
        refused(&service, 3).await;
        eventually(LONG, async || wait(&handle).await == hour).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_more_than_a_window_are_forgotten() {
    let server = RedisServer::start();
    for store in stores(&server) {
        let (service, handle) = build(&store, strict_one().ban_after(3, SECOND, SECOND));
        status(&service, "m").await;
        refused(&service, 2).await;
        store.clock().advance(70 * SECOND);
        assert_eq!(status(&service, "m").await, StatusCode::OK);
        refused(&service, 2).await;
        assert_eq!(handle.stats().bans, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_reset_begins_anew_with_refusals_too() {
    let server = RedisServer::start();
    for store in stores(&server) {
        let (service, handle) = build(&store, strict_one().ban_after(3, SECOND, SECOND));
        status(&service, "m").await;
        refused(&service, 2).await;
        let reset = handle.reset("p", &Subject::header("m")).await;
        reset.expect("answers");
        assert_eq!(status(&service, "m").await, StatusCode::OK);
        refused(&service, 2).await;
        assert_eq!(handle.stats().bans, 0, "{store:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_forgets_nothing_that_lives_longer_than_the_policys_own_quota() {
    let server = RedisServer::start();
    let store = Store::builder().deadline(LONG).connect(&server.url());
    let store = store.expect("a good URL");
    let policy = Policy::new("p", Quota::per_second(10))
        .by(Key::header("x-merchant-id"))
        .quota_by(|_| Some(Quota::per_day(1)));
    let (service, handle) = build(&store, policy);
    assert_eq!(status(&service, "m").await, StatusCode::OK);
    let subject = Subject::header("m");
    let day = 80_000_000;
    assert!(shortest_life(&server) > day);
    handle.ban("p", &subject, SECOND).await.expect("answers");
    assert!(shortest_life(&server) > day);
    handle.unban("p", &subject).await.expect("answers");
    assert!(shortest_life(&server) > day);
    refused(&service, 1).await;
}

/// How long the buckets live on, at least, in milliseconds.
fn shortest_life(server: &RedisServer) -> i64 {
    let Reply::Array(Some(keys)) = server.command(&["KEYS", "keep:r:*"]) else {
        panic!("KEYS answers with a list");
    };
    let life = |key: &Reply| {
        let name = key.text().expect("a name");
        let life = server.command(&["PTTL", &name]);
        match life {
            Reply::Integer(life) => life,
            other => panic!("PTTL answers with a number, not {other:?}"),
        }
    };
    keys.iter().map(life).min().expect("there is a bucket")
}
