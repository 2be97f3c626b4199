//! Who may ask how often, and what the others are told.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use axum::body::Body;
use common::{LOCAL, Reply, Site};
use http::{Request, StatusCode};
use tokio::task::JoinSet;
use tower_keep::{Clock, Store, StoreBuilder, Timestamp};
use tower_keep_test_support::RedisServer;

#[tokio::test]
async fn the_101st_request_of_a_merchant_is_told_when_to_come_again_and_then_passes() {
    let (site, clock) = on_memory();
    for number in 1..=100 {
        let reply = ask(&site, "m-1").await;
        assert_eq!(reply.status, StatusCode::OK, "request {number}");
    }
    let refusal = ask(&site, "m-1").await;
    refusal.expect_problem(429);
    assert_eq!(refusal.header("retry-after"), "1");
    assert_eq!(refusal.header("ratelimit-policy"), POLICIES);
    let left = refusal.header("ratelimit");
    assert!(
        left.starts_with("\"merchant\";r=0;t=1, \"address\";r="),
        "{left}"
    );
    assert_eq!(refusal.header("cache-control"), "no-store");
    assert_eq!(
        refusal.json()["violated-policies"],
        serde_json::json!(["merchant"])
    );
    clock.advance(after(&refusal));
    assert_eq!(ask(&site, "m-1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn each_merchant_has_a_quota_of_its_own() {
    let (site, _) = on_memory();
    assert_eq!(passed(&site, "m-1", 101).await, 100);
    assert_eq!(passed(&site, "m-2", 101).await, 100);
}

#[tokio::test]
async fn requests_of_no_merchant_are_limited_by_their_address_alone() {
    let (site, clock) = on_memory();
    for number in 1..=500 {
        let reply = site.get(PAGE).await;
        assert_eq!(reply.status, StatusCode::OK, "request {number}");
        assert!(!reply.header("ratelimit-policy").contains("merchant"));
    }
    let refusal = site.get(PAGE).await;
    refusal.expect_problem(429);
    assert_eq!(
        refusal.json()["violated-policies"],
        serde_json::json!(["address"])
    );
    let neighbour = Request::get(PAGE).body(Body::empty()).unwrap();
    let neighbour = site.send_from([127, 0, 0, 2], neighbour).await;
    assert_eq!(neighbour.status, StatusCode::OK);
    clock.advance(after(&refusal));
    assert_eq!(site.get(PAGE).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_the_merchant_may_not_is_not_charged_to_the_address() {
    let (site, _) = on_memory();
    assert_eq!(passed(&site, "m-1", 700).await, 100);
    assert_eq!(passed(&site, "m-2", 100).await, 100);
}

#[tokio::test]
async fn the_figures_of_a_hit_are_those_of_its_own_request() {
    let (site, _) = on_memory();
    for left in (0..100).rev() {
        let reply = ask(&site, "m-1").await;
        assert_eq!(reply.is_hit(), left < 99);
        let said = reply.header("ratelimit").to_owned();
        assert!(
            said.starts_with(&format!("\"merchant\";r={left};")),
            "{said}"
        );
    }
}

#[tokio::test]
async fn all_under_api_is_limited_and_nothing_else() {
    let (site, _) = on_memory();
    passed(&site, "m-1", 100).await;
    for (path, status) in [
        ("/api/jobs", 429),
        ("/api/nothing", 429),
        ("/api/candidates/1/status", 429),
        ("/nothing", 404),
        ("/webhooks/calendar", 405),
        ("/", 200),
    ] {
        let reply = site.send(request(path, "m-1")).await;
        assert_eq!(reply.status, status, "{path}");
        assert_eq!(
            reply.headers.contains_key("ratelimit"),
            status == 429,
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_applications_on_one_redis_share_a_merchants_quota() {
    let redis = RedisServer::start();
    // Time stands still: nothing comes back while a busy machine takes its time.
    let (builder, clock) = with_clock();
    let store = || builder.clone().connect(&redis.url()).unwrap();
    let one = Site::on(store());
    let two = one.sibling_on(store());
    let (first, second) = tokio::join!(passed(&one, "m-1", 60), passed(&two, "m-1", 60));
    assert_eq!(first + second, 100);
    let refusal = ask(&two, "m-1").await;
    refusal.expect_problem(429);
    ask(&one, "m-1").await.expect_problem(429);
    clock.advance(after(&refusal));
    assert_eq!(ask(&two, "m-1").await.status, StatusCode::OK);
    assert_eq!(ask(&one, "m-1").await.status, StatusCode::TOO_MANY_REQUESTS);
}

fn on_memory() -> (Site, Clock) {
    let (builder, clock) = with_clock();
    (Site::on(builder.memory()), clock)
}

fn with_clock() -> (StoreBuilder, Clock) {
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    // A patient deadline: a busy machine is no failure.
    let builder = Store::builder().deadline(Duration::from_secs(10));
    (builder.clock(clock.clone()), clock)
}

/// How many of so many requests at once are not refused.
async fn passed(site: &Site, merchant: &str, requests: usize) -> usize {
    let sent = (0..requests).map(|_| site.send_from(LOCAL, request(PAGE, merchant)));
    let replies = sent.collect::<JoinSet<Reply>>().join_all().await;
    let count = |status| {
        replies
            .iter()
            .filter(|reply| reply.status == status)
            .count()
    };
    let passed = count(StatusCode::OK);
    assert_eq!(passed + count(StatusCode::TOO_MANY_REQUESTS), requests);
    passed
}

async fn ask(site: &Site, merchant: &str) -> Reply {
    site.send(request(PAGE, merchant)).await
}

fn request(path: &str, merchant: &str) -> Request<Body> {
    let request = Request::get(path).header("x-merchant-id", merchant);
    request.header("host", "test").body(Body::empty()).unwrap()
}

/// As long as a refusal says, to the second.
fn after(refusal: &Reply) -> Duration {
    Duration::from_secs(refusal.header("retry-after").parse().unwrap())
}

const PAGE: &str = "/api/candidates/1";

const POLICIES: &str = r#""merchant";q=100;w=60, "address";q=500;w=1"#;
