//! What refusals look like from outside.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use tower_keep_rate_limit::{
    Key, Policy, PolicyStatus, Quota, RateLimitLayer, RateLimitStatus, Refusal,
};
use tower_keep_store::{Clock, Store};

use crate::common::{Answer, Limited, START, field, from, limited, send, stores};

fn service(policy: Policy) -> Limited {
    let policy = policy.by(Key::header("x-merchant-id"));
    let layer = RateLimitLayer::builder(Store::memory()).policy(policy);
    limited(&layer.build().expect("makes sense")).0
}

fn once() -> Policy {
    Policy::new("a", Quota::per_day(1))
}

#[tokio::test]
async fn only_a_post_is_a_grpc_call_whatever_its_content_type_says() {
    let service = service(once());
    let request = |method| {
        let mut request: Request<Full<Bytes>> = from("m");
        *request.method_mut() = method;
        let value = "application/grpc".parse().expect("a value");
        request.headers_mut().insert(CONTENT_TYPE, value);
        request
    };
    send(&service, request(Method::GET)).await;
    for method in [Method::GET, Method::HEAD, Method::PUT] {
        let refusal = send(&service, request(method)).await;
        assert_eq!(refusal.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(!refusal.headers().contains_key("grpc-status"));
    }
    let refusal = send(&service, request(Method::POST)).await;
    assert_eq!(refusal.status(), StatusCode::OK);
    assert_eq!(refusal.headers()["grpc-status"], "8");
}

async fn problem(refusal: Answer) -> serde_json::Value {
    let body = refusal.into_body().collect().await.expect("whole");
    serde_json::from_slice(&body.to_bytes()).expect("JSON")
}

#[tokio::test]
async fn a_request_that_can_never_pass_is_a_problem_of_its_own() {
    let refusal = send(&service(once().cost(|_| 2)), from("m")).await;
    assert_eq!(refusal.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(field(&refusal, "retry-after"), None);
    let problem = problem(refusal).await;
    let kind = problem["type"].as_str().expect("a type");
    assert!(kind.ends_with("enum.Refusal.html#variant.TooCostly"));
    assert_eq!(problem["violated-policies"], serde_json::json!(["a"]));
}

#[tokio::test]
async fn of_what_no_store_was_asked_nothing_is_said_to_be_left() {
    let costly = service(once().cost(|_| 2));
    let unidentified = Policy::new("a", Quota::per_day(1)).by(Key::header("x-tenant"));
    let layer = RateLimitLayer::builder(Store::memory())
        .policy(unidentified.refuse_missing_key())
        .legacy_fields(true);
    let (unidentified, _) = limited(&layer.build().expect("makes sense"));
    for (service, why) in [
        (costly, Refusal::TooCostly),
        (unidentified, Refusal::Unidentified),
    ] {
        let refusal = send(&service, from("m")).await;
        assert_eq!(
            field(&refusal, "ratelimit-policy"),
            Some(r#""a";q=1;w=86400"#)
        );
        for name in ["ratelimit", "x-ratelimit-remaining", "retry-after"] {
            assert_eq!(field(&refusal, name), None, "{why:?}");
        }
        let status: &RateLimitStatus = refusal.extensions().get().expect("a status");
        assert_eq!(status.refusal(), Some(why));
        assert_eq!(status.retry_after(), None);
        let policy = &status.policies()[0];
        assert_eq!(policy.retry_after(), None);
        let violated = status.violated().count();
        assert_eq!(violated, usize::from(why == Refusal::TooCostly));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_nothing_left_is_told_when_the_next_unit_comes() {
    let stores = stores();
    for (store, clock) in stores.stores {
        let policy = Policy::new("a", Quota::per_minute(3)).by(Key::header("x-merchant-id"));
        let layer = RateLimitLayer::builder(store).policy(policy);
        let (service, _) = limited(&layer.build().expect("makes sense"));
        for told in ["r=2;t=40", "r=1;t=40", "r=0;t=20", "r=0;t=20"] {
            let answer = send(&service, from("m")).await;
            let said = field(&answer, "ratelimit").expect("told").to_owned();
            assert_eq!(said, format!(r#""a";{told}"#));
        }
        clock.advance(Duration::from_secs(20));
        let answer = send(&service, from("m")).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(field(&answer, "ratelimit"), Some(r#""a";r=0;t=20"#));
    }
}

#[tokio::test]
async fn only_refusals_carry_the_status_in_their_own_extensions() {
    let store = Store::builder().clock(Clock::manual(START)).memory();
    let policy = once().by(Key::header("x-merchant-id"));
    let layer = RateLimitLayer::builder(store).policy(policy);
    let (service, _) = limited(&layer.build().expect("makes sense"));
    let passed = send(&service, from("m")).await;
    assert!(passed.extensions().get::<RateLimitStatus>().is_none());
    let refused = send(&service, from("m")).await;
    let status: &RateLimitStatus = refused.extensions().get().expect("a status");
    assert_eq!(status.refusal(), Some(Refusal::Exceeded));
    assert!(status.violated().map(PolicyStatus::name).eq(["a"]));
    assert!(status.retry_after().is_some());
}
