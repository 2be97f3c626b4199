//! What every limit does, on both stores.

mod common;

use std::{sync::atomic::Ordering, time::Duration};

use common::{field, from, limited, send, status, stores};
use http::StatusCode;
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer, Subject};

fn merchant(quota: Quota) -> Policy {
    Policy::new("merchant", quota).by(Key::header("x-merchant-id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hundred_and_first_request_of_a_minute_is_refused_and_passes_when_told_to() {
    let stores = stores();
    for (store, clock) in stores.stores {
        let layer = RateLimitLayer::builder(store)
            .policy(merchant(Quota::per_minute(100)))
            .build();
        let (service, calls) = limited(&layer.expect("makes sense"));
        for i in 1..=100 {
            let response = send(&service, from("m")).await;
            assert_eq!(response.status(), StatusCode::OK, "request {i}");
        }
        let response = send(&service, from("m")).await;
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(field(&response, "retry-after"), Some("1"));
        assert_eq!(field(&response, "cache-control"), Some("no-store"));
        assert_eq!(
            field(&response, "ratelimit-policy"),
            Some(r#""merchant";q=100;w=60"#)
        );
        assert_eq!(field(&response, "ratelimit"), Some(r#""merchant";r=0;t=1"#));
        assert_eq!(calls.load(Ordering::Relaxed), 100);
        assert_eq!(status(&service, "other").await, StatusCode::OK);
        clock.advance(Duration::from_micros(599_999));
        assert_eq!(status(&service, "m").await, StatusCode::TOO_MANY_REQUESTS);
        clock.advance(Duration::from_micros(1));
        assert_eq!(status(&service, "m").await, StatusCode::OK);
        assert_eq!(status(&service, "m").await, StatusCode::TOO_MANY_REQUESTS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_one_policy_refuses_is_charged_to_none() {
    let stores = stores();
    for (store, _) in stores.stores {
        let layer = RateLimitLayer::builder(store)
            .policy(Policy::new("all", Quota::per_minute(10)).by(Key::from_fn(|_| Some("all"))))
            .policy(merchant(Quota::per_hour(3)))
            .build()
            .expect("makes sense");
        let (service, _) = limited(&layer);
        for _ in 0..9 {
            status(&service, "m").await;
        }
        let left = layer.handle().peek("all", &Subject::custom("all")).await;
        assert_eq!(left.expect("answers").remaining(), 7);
    }
}
