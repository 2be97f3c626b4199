//! Quotas that come from elsewhere.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use http::StatusCode;
use tokio::time::Instant;
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer, Subject};
use tower_keep_store::Store;
use tower_keep_test_support::{RedisServer, eventually};

use crate::{
    common::{LONG, from, limited, send, status},
    tools::{layer, merchant, process_within},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_from_elsewhere_is_asked_for_once_however_many_wait_for_it() {
    let asked = Arc::<AtomicU32>::default();
    let counting = asked.clone();
    let policy = merchant(Quota::per_minute(1000)).quota_by_async(move |_| {
        let counting = counting.clone();
        async move {
            counting.fetch_add(1, Ordering::Relaxed);
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            Some(Quota::per_minute(500))
        }
    });
    let (service, _) = limited(&layer(Store::memory(), policy));
    join_all((0..100).map(|_| send(&service, from("m")))).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adjusted_quota_holds_on_while_the_server_is_gone() {
    let mut server = RedisServer::start();
    let store = process_within(&server.url(), Duration::from_millis(500));
    let layer = layer(store, merchant(Quota::per_hour(1000)).adjustable());
    let (service, _) = limited(&layer);
    let handle = layer.handle();
    let abuser = Subject::header("m");
    let to = Some(Quota::per_hour(2));
    let adjusted = async || {
        handle
            .adjust("merchant", &abuser, to, LONG * 360)
            .await
            .is_ok()
    };
    eventually(LONG, adjusted).await;
    assert_eq!(
        send(&service, from("m")).await.headers()["ratelimit-policy"],
        r#""merchant";q=2;w=3600"#
    );
    server.kill();
    // Until the last answer is not fresh any more.
    let is_by_share = async || {
        send(&service, from("other")).await;
        layer.handle().stats().by_share > 0
    };
    eventually(LONG, is_by_share).await;
    let begun = Instant::now();
    let is_stale = async || begun.elapsed() > Duration::from_millis(1100);
    eventually(LONG, is_stale).await;
    let mut passed = 0;
    for _ in 0..50 {
        passed += u32::from(status(&service, "m").await == StatusCode::OK);
    }
    assert!(passed <= 2, "{passed} passed by a quota of 2 an hour");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_all_its_quotas_at_once() {
    let mut server = RedisServer::start();
    let patience = Duration::from_secs(1);
    let store = process_within(&server.url(), patience);
    let mut layer = RateLimitLayer::builder(store);
    for name in ["a", "b", "c"] {
        let policy = Policy::new(name, Quota::per_hour(1000));
        layer = layer.policy(policy.by(Key::header("x-merchant-id")).adjustable());
    }
    let layer = layer.build().expect("makes sense");
    let (service, _) = limited(&layer);
    send(&service, from("warm-up")).await;
    server.pause();
    let begun = Instant::now();
    send(&service, from("m")).await;
    let waited = begun.elapsed();
    server.resume();
    // One deadline for its three quotas, and one for the decision, if that is still asked for; and some patience
    // with a busy machine.
    assert!(
        waited < patience * 3,
        "{waited:?} with a deadline of {patience:?}"
    );
}
