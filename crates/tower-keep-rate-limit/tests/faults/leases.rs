//! Permits taken in advance.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::StatusCode;
use tokio::time::Instant;
use tower_keep_rate_limit::{Policy, Quota, RateLimitLayer, Subject};
use tower_keep_store::Store;
use tower_keep_test_support::{Random, RedisServer, eventually, seed};

use crate::{
    common::{LONG, limited, status},
    tools::{Passed, assert_bounded, merchant, process},
};

fn leasing(store: Store, policy: Policy, epsilon: f64) -> RateLimitLayer {
    let builder = RateLimitLayer::builder(store).policy(policy);
    let layer = builder.allow_leases(epsilon).build();
    layer.expect("makes sense")
}

/// Random load of three processes for some time; what passed, and when the first request was sent.
async fn load(
    server: &RedisServer,
    quota: Quota,
    epsilon: f64,
    lasts: Duration,
) -> (Vec<Passed>, u64) {
    let passed = Arc::new(Mutex::new(Vec::new()));
    let seed = seed();
    let layers: Vec<_> = (0..3)
        .map(|_| leasing(process(server), merchant(quota), epsilon))
        .collect();
    let begun = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for task in 0..6 {
        let (service, _) = limited(&layers[task % 3]);
        let passed = passed.clone();
        let mut random = Random::new(seed + task as u64);
        running.spawn(async move {
            while begun.elapsed() < lasts {
                // Bursts and pauses.
                for _ in 0..random.below(60) {
                    let from = Instant::now();
                    if status(&service, "m").await == StatusCode::OK {
                        let until = Instant::now();
                        passed.lock().expect("whole").push(Passed { from, until });
                    }
                    tokio::task::yield_now().await;
                }
                tokio::time::sleep(Duration::from_millis(random.below(120))).await;
            }
        });
    }
    running.join_all().await;
    let leased = layers
        .iter()
        .map(|layer| layer.handle().stats().leased)
        .sum();
    let passed = passed.lock().expect("whole").clone();
    (passed, leased)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_interval_exceeds_the_limit_by_more_than_the_share_and_the_long_run_not_at_all() {
    const LIMIT: u32 = 1000;
    const EPSILON: f64 = 0.1;
    let server = RedisServer::start();
    let quota = Quota::new(LIMIT, Duration::from_secs(2));
    let begun = Instant::now();
    let (passed, leased) = load(&server, quota, EPSILON, Duration::from_secs(7)).await;
    let lasted = begun.elapsed().as_secs_f64();
    assert_bounded(
        &passed,
        f64::from(LIMIT) * (1.0 + EPSILON),
        f64::from(LIMIT) / 2.0,
    );
    // All that passed had been charged since the bucket was full.
    let most = f64::from(LIMIT) * (1.0 + lasted / 2.0);
    assert!(passed.len() as f64 <= most, "{} of {most}", passed.len());
    assert!(leased > 100, "{leased} of {} were leased", passed.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_and_calendar_quotas_are_exceeded_by_the_share_at_most() {
    const LIMIT: u32 = 600;
    const EPSILON: f64 = 0.1;
    for quota in [
        Quota::new(LIMIT, Duration::from_secs(2)).strict(),
        Quota::new(LIMIT, Duration::from_secs(2)).fixed_window(),
    ] {
        let server = RedisServer::start();
        let (passed, _) = load(&server, quota, EPSILON, Duration::from_secs(5)).await;
        let most = f64::from(LIMIT) * (1.0 + EPSILON);
        let windows = if quota == quota.strict() { 1.0 } else { 2.0 };
        let mut by_end = passed.clone();
        by_end.sort_unstable_by_key(|passed| passed.until);
        for first in &passed {
            let end = first.from + Duration::from_secs(2);
            let within = by_end
                .iter()
                .filter(|other| other.from >= first.from && other.until < end);
            let within = within.count() as f64;
            assert!(
                within <= most * windows,
                "{within} in a window of {quota:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_caller_needs_few_calls() {
    const REQUESTS: u64 = 5000;
    let server = RedisServer::start();
    let store = process(&server);
    let layer = leasing(store.clone(), merchant(Quota::per_minute(1_000_000)), 0.1);
    let (service, _) = limited(&layer);
    // What is held while the log is read for the first time does not last.
    let log = store.log();
    eventually(LONG, async || log.is_current() && log.stamp().epoch != 0).await;
    assert_eq!(status(&service, "m").await, StatusCode::OK);
    server.reset_stats();
    for _ in 0..REQUESTS {
        assert_eq!(status(&service, "m").await, StatusCode::OK);
    }
    let calls = server.command_stats();
    let asked = calls.get("get").copied().unwrap_or(0);
    assert!(asked <= REQUESTS / 50, "{asked} calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_little_is_left_nothing_is_taken_in_advance() {
    let server = RedisServer::start();
    let layer = leasing(process(&server), merchant(Quota::per_day(200)), 0.5);
    let other = crate::tools::layer(process(&server), merchant(Quota::per_day(200))).handle();
    let (service, _) = limited(&layer);
    let subject = Subject::header("m");
    assert_eq!(
        other
            .take("merchant", &subject, 192)
            .await
            .expect("answers"),
        192
    );
    for left in (0..8).rev() {
        assert_eq!(status(&service, "m").await, StatusCode::OK);
        let seen = other.peek("merchant", &subject).await.expect("answers");
        assert_eq!(seen.remaining(), left);
    }
    assert_eq!(status(&service, "m").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(layer.handle().stats().leased, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn permits_that_were_taken_are_used_however_many_ask_at_once() {
    const TASKS: usize = 8;
    const REQUESTS: usize = 1500;
    let server = RedisServer::start();
    let quota = Quota::per_day(10_000_000);
    let layer = leasing(process(&server), merchant(quota), 0.1);
    let (service, _) = limited(&layer);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..TASKS {
        let service = service.clone();
        running.spawn(async move {
            for _ in 0..REQUESTS {
                assert_eq!(status(&service, "m").await, StatusCode::OK);
                tokio::task::yield_now().await;
            }
        });
    }
    running.join_all().await;
    let left = layer.handle().peek("merchant", &Subject::header("m")).await;
    let used = 10_000_000 - left.expect("answers").remaining();
    let passed = u32::try_from(TASKS * REQUESTS).expect("small");
    // The last batch, which nobody needed any more, is twice the one before, and so about as large as all.
    assert!(used >= passed, "{used} of {passed}");
    assert!(used <= passed * 5 / 2, "{used} were charged for {passed}");
    let leased = layer.handle().stats().leased;
    assert!(leased > u64::from(passed) * 9 / 10, "{leased} of {passed}");
}
