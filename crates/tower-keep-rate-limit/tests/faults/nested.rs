//! A layer within a layer.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_keep_rate_limit::{Quota, RateLimitLayer, RateLimitStatus, Subject};

use crate::{
    common::{from, stores, warnings::Warnings},
    tools::{layer, merchant},
};

/// Sends one request through both; the names of the policies that it carried, and what was warned of.
async fn through(outer: &RateLimitLayer, inner: &RateLimitLayer) -> (Vec<String>, String) {
    let warnings = Warnings::default();
    let _set = tracing::subscriber::set_default(warnings.clone());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let names = seen.clone();
    let service = service_fn(move |request: Request<Full<Bytes>>| {
        let status: &RateLimitStatus = request.extensions().get().expect("a status");
        let policies = status.policies().iter();
        let told = policies
            .map(|policy| policy.name().to_owned())
            .collect::<Vec<_>>();
        names.lock().expect("whole").extend(told);
        async { Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("ok"))) }
    });
    let response = outer.layer(inner.layer(service)).oneshot(from("m")).await;
    let response = response.expect("answers");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers().get_all("ratelimit").iter().count(), 2);
    let names = seen.lock().expect("whole").clone();
    let text = warnings.text();
    (names, text)
}

async fn left(layer: &RateLimitLayer, policy: &str) -> u32 {
    let left = layer.handle().peek(policy, &Subject::header("m")).await;
    left.expect("answers").remaining()
}

#[tokio::test]
async fn two_layers_with_one_policy_charge_twice_and_say_so() {
    let stores = stores();
    for (store, _) in stores.stores {
        let [outer, inner] = [(); 2].map(|()| layer(store.clone(), merchant(Quota::per_day(10))));
        let (names, warned) = through(&outer, &inner).await;
        assert_eq!(names, ["merchant", "merchant"]);
        assert_eq!(left(&outer, "merchant").await, 8);
        assert_eq!(left(&inner, "merchant").await, 8);
        assert!(warned.contains("charge the same policy"), "{warned:?}");
        assert!(warned.contains("merchant"), "{warned:?}");
    }
}

#[tokio::test]
async fn a_request_through_two_layers_carries_what_both_said() {
    let stores = stores();
    for (store, _) in stores.stores {
        let outer = layer(store.clone(), merchant(Quota::per_day(10)));
        let mut policy = tower_keep_rate_limit::Policy::new("other", Quota::per_day(5));
        policy = policy.by(tower_keep_rate_limit::Key::header("x-merchant-id"));
        let inner = layer(store, policy);
        let (names, warned) = through(&outer, &inner).await;
        assert_eq!(names, ["merchant", "other"]);
        assert_eq!(left(&outer, "merchant").await, 9);
        assert_eq!(left(&inner, "other").await, 4);
        assert!(!warned.contains("charge the same policy"), "{warned:?}");
    }
}
