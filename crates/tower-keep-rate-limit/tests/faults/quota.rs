//! One quota, many processes.

use std::time::Duration;

use http::StatusCode;
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer, Subject};
use tower_keep_test_support::RedisServer;

use crate::{
    common::{LONG, Limited, from, limited, send, status},
    tools::{bucket, layer, merchant, process, time},
};

const CLIENTS: usize = 16;

/// So many requests of each client, from several tasks at once; how many passed.
async fn hammer(services: &[Limited], tasks: usize, requests: usize) -> u64 {
    let mut running = tokio::task::JoinSet::new();
    for service in services.iter().cycle().take(services.len() * tasks) {
        let service = service.clone();
        running.spawn(async move {
            let mut passed = 0;
            for _ in 0..requests {
                let answer = status(&service, "m").await;
                passed += u64::from(answer == StatusCode::OK);
                tokio::task::yield_now().await;
            }
            passed
        });
    }
    running.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_clients_of_one_redis_get_exactly_one_quota() {
    const INTERVAL: u64 = 300_000;
    let server = RedisServer::start();
    let quota = Quota::new(200, Duration::from_secs(60));
    let services: Vec<_> = (0..CLIENTS)
        .map(|_| limited(&layer(process(&server), merchant(quota))).0)
        .collect();
    let before = time(&server);
    assert_eq!(status(&services[0], "m").await, StatusCode::OK);
    let begun = time(&server);
    let mut passed = 1 + hammer(&services, 4, 50).await;
    // So that no client stops before all is used up.
    let last_round = time(&server);
    for service in &services {
        while status(service, "m").await == StatusCode::OK {
            passed += 1;
        }
    }
    let end = time(&server);
    let arrival = server.command(&["GET", &bucket(&server)]);
    let arrival: u64 = arrival.text().expect("text").parse().expect("a moment");
    // Every one that passed moved the arrival time on by one interval, and nothing else did.
    let start = arrival - passed * INTERVAL;
    assert!((before..=begun).contains(&start), "{passed} passed");
    assert!(passed <= 200 + (end - before) / INTERVAL, "{passed} passed");
    assert!(
        passed >= 200 + (last_round - begun) / INTERVAL,
        "{passed} passed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_policy_refuses_is_not_charged_to_the_other_by_any_client() {
    let server = RedisServer::start();
    let layers: Vec<_> = (0..CLIENTS)
        .map(|_| {
            RateLimitLayer::builder(process(&server))
                .policy(merchant(Quota::per_day(1000)))
                .policy(Policy::new("all", Quota::per_day(10)).by(Key::from_fn(|_| Some("all"))))
                .build()
                .expect("makes sense")
        })
        .collect();
    let services: Vec<_> = layers.iter().map(|layer| limited(layer).0).collect();
    assert_eq!(hammer(&services, 4, 10).await, 10);
    let handle = layers[0].handle();
    let left = handle.peek("merchant", &Subject::header("m")).await;
    assert_eq!(left.expect("answers").remaining(), 990);
    let left = handle.peek("all", &Subject::custom("all")).await;
    assert_eq!(left.expect("answers").remaining(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_and_calendar_quotas_are_one_for_sixteen_clients() {
    for quota in [
        Quota::per_day(100).strict(),
        Quota::per_day(100).fixed_window(),
    ] {
        let server = RedisServer::start();
        let services: Vec<_> = (0..CLIENTS)
            .map(|_| limited(&layer(process(&server), merchant(quota))).0)
            .collect();
        let passed = hammer(&services, 4, 20).await;
        // Unless a day began meanwhile.
        assert!(
            passed == 100 || passed == 200,
            "{passed} passed of {quota:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_many_keys_and_costs_at_once_are_told_apart() {
    const KEYS: usize = 50;
    let server = RedisServer::start();
    let policy = merchant(Quota::per_day(30)).cost(|head| {
        let cost = head.headers.get("x-cost");
        cost.and_then(|cost| cost.to_str().ok()?.parse().ok())
            .unwrap_or(1)
    });
    let layers = [(); 3].map(|()| layer(process(&server), policy.clone()));
    let mut running = tokio::task::JoinSet::new();
    for layer in &layers {
        for key in 0..KEYS {
            let (service, _) = limited(layer);
            running.spawn(async move {
                let mut used = vec![0; KEYS];
                for cost in [7_u32, 1, 5, 3, 2, 7, 1, 1] {
                    let mut request = from(&key.to_string());
                    request.headers_mut().insert("x-cost", cost.into());
                    if send(&service, request).await.status() == StatusCode::OK {
                        used[key] += cost;
                    }
                }
                used
            });
        }
    }
    let used = tokio::time::timeout(LONG * 3, running.join_all()).await;
    let used = used.expect("all are answered");
    for key in 0..KEYS {
        let used: u32 = used.iter().map(|used| used[key]).sum();
        let subject = Subject::header(key.to_string());
        let left = layers[0].handle().peek("merchant", &subject).await;
        assert_eq!(left.expect("answers").remaining(), 30 - used, "of {key}");
    }
}
