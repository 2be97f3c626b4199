//! What a request costs is known when it is answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceExt};
use tower_keep_rate_limit::{Policy, Quota, RateLimit, RateLimitLayer, Subject};
use tower_keep_test_support::{Gate, Origin, Random, RedisServer, ScriptedBody, eventually, seed};

use crate::{
    common::{LONG, from, limited, status, stores},
    tools::{layer, merchant, process, process_within},
};

type Logins = RateLimit<Origin<Full<Bytes>>>;

fn logins() -> Policy {
    let quota = Quota::new(5, Duration::from_secs(15 * 60));
    merchant(quota).count_if(|response| response.status == 401)
}

/// Answers, once through the gate, with what the request says, and counts the failures.
fn origin(gate: &Gate, failures: &Arc<AtomicUsize>) -> Origin<Full<Bytes>> {
    let (gate, failures) = (gate.clone(), failures.clone());
    Origin::new(move |request: Request<Full<Bytes>>| {
        let passed = gate.pass();
        let status = request.headers().get("x-status").cloned();
        let failures = failures.clone();
        async move {
            passed.await;
            let status = status.map_or(200, |status| {
                status.to_str().expect("text").parse().expect("a number")
            });
            failures.fetch_add(usize::from(status == 401), Ordering::SeqCst);
            let response = Response::builder()
                .status(status)
                .body(ScriptedBody::full("x"));
            Ok(response.expect("a valid response"))
        }
    })
}

async fn login(service: &Logins, outcome: u16) -> StatusCode {
    let mut request = from("m");
    request.headers_mut().insert("x-status", outcome.into());
    let response = service.clone().oneshot(request).await;
    response.expect("the layer adds no errors").status()
}

async fn left(layer: &RateLimitLayer) -> u32 {
    let left = layer.handle().peek("merchant", &Subject::header("m")).await;
    left.expect("answers").remaining()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_logins_that_fail_at_once_five_are_tried() {
    let stores = stores();
    for (store, _) in stores.stores {
        let layer = layer(store, logins());
        let (gate, failures) = (Gate::closed(), Arc::default());
        let service = layer.layer(origin(&gate, &failures));
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let service = service.clone();
            running.spawn(async move { login(&service, 401).await });
        }
        eventually(LONG, async || gate.waiters() == 5 && running.len() == 50).await;
        gate.open();
        let answers = running.join_all().await;
        let failed = answers.iter().filter(|status| **status == 401).count();
        assert_eq!(failed, 5);
        assert_eq!(failures.load(Ordering::SeqCst), 5);
        assert_eq!(left(&layer).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_that_succeed_give_back_and_never_do_more_than_five_fail() {
    let server = RedisServer::start();
    let seed = seed();
    let layers = [(); 2].map(|()| layer(process(&server), logins()));
    let (gate, failures) = (Gate::opened(), Arc::default());
    let services = layers
        .each_ref()
        .map(|layer| layer.layer(origin(&gate, &failures)));
    let mut running = tokio::task::JoinSet::new();
    for task in 0..50 {
        let service = services[task % 2].clone();
        let mut random = Random::new(seed + task as u64);
        running.spawn(async move {
            let mut succeeded = 0;
            for _ in 0..20 {
                let outcome = if random.below(40) == 0 { 401 } else { 200 };
                succeeded += usize::from(login(&service, outcome).await == StatusCode::OK);
            }
            succeeded
        });
    }
    let succeeded: usize = running.join_all().await.into_iter().sum();
    let failed = failures.load(Ordering::SeqCst);
    assert!(failed <= 5, "{failed}");
    assert!(succeeded > 5, "{succeeded}: what succeeds gives back");
    let remains = 5 - u32::try_from(failed).expect("at most five");
    for layer in &layers {
        eventually(LONG, async || left(layer).await == remains).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_turns_out_dearer_becomes_a_debt() {
    let stores = stores();
    for (store, clock) in stores.stores {
        // One unit each minute.
        let policy = merchant(Quota::per_hour(60))
            .outcome_cost(|response| if response.status == 200 { 1 } else { 45 });
        let layer = layer(store, policy);
        let service = layer.layer(origin(&Gate::opened(), &Arc::default()));
        assert_eq!(login(&service, 200).await, StatusCode::OK);
        assert_eq!(left(&layer).await, 59);
        assert_eq!(login(&service, 500).await.as_u16(), 500);
        eventually(LONG, async || left(&layer).await == 14).await;
        assert_eq!(login(&service, 500).await.as_u16(), 500);
        eventually(LONG, async || left(&layer).await == 0).await;
        assert_eq!(login(&service, 200).await, StatusCode::TOO_MANY_REQUESTS);
        // As deep as the limit: after a minute one is there again.
        clock.advance(Duration::from_secs(60));
        assert_eq!(login(&service, 200).await, StatusCode::OK);
        assert_eq!(login(&service, 200).await, StatusCode::TOO_MANY_REQUESTS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_in_the_middle_is_charged_all_the_same() {
    let stores = stores();
    for (store, _) in stores.stores {
        let layer = layer(store, logins());
        let (gate, failures) = (Gate::closed(), Arc::default());
        let service = layer.layer(origin(&gate, &failures));
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let service = service.clone();
            running.spawn(async move { login(&service, 200).await });
        }
        eventually(LONG, async || gate.waiters() == 4).await;
        running.shutdown().await;
        gate.open();
        assert_eq!(left(&layer).await, 1);
        assert_eq!(login(&service, 200).await, StatusCode::OK);
        eventually(LONG, async || left(&layer).await == 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_succeeds_in_an_outage_counts_as_little_as_ever() {
    let mut server = RedisServer::start();
    let store = process_within(&server.url(), Duration::from_millis(500));
    let (service, _) = limited(&layer(store, logins()));
    server.kill();
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(status(&service, "m").await);
    }
    assert_eq!(statuses, [StatusCode::OK; 10]);
}
