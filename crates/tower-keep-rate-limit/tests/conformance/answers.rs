//! What refusals look like from outside.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer};
use tower_keep_store::Store;

use crate::common::{Limited, from, limited, send};

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
