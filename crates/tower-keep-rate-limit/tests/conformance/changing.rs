//! Quotas that change while the application runs: heard of within a second.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer, Subject};
use tower_keep_store::{Clock, Store};
use tower_keep_test_support::{RedisServer, eventually};

use crate::{
    common::{LONG, Limited, START, builder, field, from, limited, send, status},
    schedules::stores,
};

const DAY: Duration = Duration::from_secs(86_400);

fn merchant() -> Policy {
    Policy::new("merchant", Quota::per_day(5)).by(Key::header("x-merchant-id"))
}

fn layer(store: &Store, policy: Policy) -> RateLimitLayer {
    let layer = RateLimitLayer::builder(store.clone()).policy(policy);
    layer.build().expect("makes sense")
}

/// The limit and what is left, as a request that costs nothing is told.
async fn told(service: &Limited) -> String {
    let response = send(service, from("m")).await;
    let policy = field(&response, "ratelimit-policy").expect("always there");
    let left = field(&response, "ratelimit").expect("always there");
    let left = left.split(';').nth(1).expect("what is left");
    format!("{policy};{left}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_from_elsewhere_is_asked_for_once_a_second_and_goes_up_and_down() {
    let server = RedisServer::start();
    for store in stores(&server) {
        let (limit, asked) = (Arc::new(AtomicU32::new(9)), Arc::new(AtomicU32::new(0)));
        let (answer, count) = (limit.clone(), asked.clone());
        let policy = |cost| {
            let (answer, count) = (answer.clone(), count.clone());
            merchant().cost(move |_| cost).quota_by_async(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
                let limit = answer.load(Ordering::Relaxed);
                async move { (limit > 0).then(|| Quota::per_day(limit).fixed_window()) }
            })
        };
        let paying = limited(&layer(&store, policy(1))).0;
        let looking = limited(&layer(&store, policy(0))).0;
        for left in (2..9).rev() {
            let response = send(&paying, from("m")).await;
            let said = field(&response, "ratelimit").expect("always there");
            assert!(said.contains(&format!(";r={left};")), "{said}");
        }
        assert!(asked.load(Ordering::Relaxed) <= 7, "not for each request");
        for (next, expected) in [
            (3, r#""merchant";q=3;w=86400;r=0"#),
            (20, r#""merchant";q=20;w=86400;r=13"#),
            (9, r#""merchant";q=9;w=86400;r=2"#),
        ] {
            limit.store(next, Ordering::Relaxed);
            eventually(LONG, async || told(&looking).await == expected).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adjusted_quota_holds_in_other_processes_soon() {
    let server = RedisServer::start();
    let clock = Clock::manual(START);
    let connect = || {
        let store = builder().clock(clock.clone()).connect(&server.url());
        store.expect("a good URL")
    };
    let shared = [connect(), connect()];
    let memory = Store::builder().clock(clock.clone()).memory();
    let embedded = [memory.clone(), memory];
    for [here, there] in [embedded, shared] {
        let handle = layer(&here, merchant().adjustable()).handle();
        let free = merchant().adjustable().cost(|_| 0);
        let service = limited(&layer(&there, free)).0;
        assert_eq!(told(&service).await, r#""merchant";q=5;w=86400;r=5"#);
        let subject = Subject::header("m");
        for limit in [50, 2] {
            let quota = Some(Quota::per_day(limit));
            let adjusted = handle.adjust("merchant", &subject, quota, DAY).await;
            adjusted.expect("answers");
            let expected = format!(r#""merchant";q={limit};w=86400;r={limit}"#);
            eventually(LONG, async || told(&service).await == expected).await;
        }
        assert_eq!(status(&service, "other").await, StatusCode::OK);
        let own = handle.adjust("merchant", &subject, None, DAY).await;
        own.expect("answers");
        let expected = r#""merchant";q=5;w=86400;r=5"#;
        eventually(LONG, async || told(&service).await == expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adjusted_quota_leaves_something_beside_the_reserve() {
    let server = RedisServer::start();
    for store in stores(&server) {
        let policy = merchant().reserve(3, |_| false).adjustable();
        let handle = layer(&store, policy).handle();
        let subject = Subject::header("m");
        for (limit, is_taken) in [(3, false), (1, false), (4, true)] {
            let to = Some(Quota::per_day(limit));
            let adjusted = handle.adjust("merchant", &subject, to, DAY).await;
            assert_eq!(adjusted.is_ok(), is_taken, "{limit}: {adjusted:?}");
        }
    }
}
