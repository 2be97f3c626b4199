//! What answers say, and what they leave out.

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tower_keep_session::Session;

use crate::common::{Browser, Side, Wire, fields, on_both_stores};

/// gRPC has only POST. Whoever says otherwise gets no 200 in the place of a 503.
#[tokio::test(flavor = "multi_thread")]
async fn a_get_that_says_it_is_grpc_is_answered_with_an_error_status() {
    let mut side = Side::redis();
    let mut browser = Browser::new(&side.layer());
    let kind = HeaderValue::from_static("application/grpc");
    browser.headers.insert(header::CONTENT_TYPE, kind);
    browser.set("a", 1).await;
    let (_, answer) = browser
        .visit(async |session: Session| {
            session.set("a", &2).expect("is noted");
            side.server_mut().kill();
        })
        .await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// A call that failed is a 200 with a status of its own (trailers alone: tonic's `Err(Status::internal(…))`).
async fn a_call_of_grpc_that_failed_changes_nothing(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.set("a", 1).await;
    browser.method = Method::POST;
    let kind = HeaderValue::from_static("application/grpc");
    browser.headers.insert(header::CONTENT_TYPE, kind);
    browser
        .handled(async |handle| {
            let session = handle.load().await.expect("the store answers");
            session.set("a", &2).expect("is noted");
            let mut response = Wire::default();
            let status = HeaderValue::from_static("13");
            response.headers_mut().insert("grpc-status", status);
            ((), response)
        })
        .await;
    assert_eq!(browser.get("a").await, Some(1));
}

/// RFC 9213: a targeted field goes before `Cache-Control`.
async fn no_cache_of_a_cdn_keeps_a_ticket(side: Side) {
    let mut browser = Browser::new(&side.layer());
    let (_, answer) = browser
        .handled(async |handle| {
            let session = handle.load().await.expect("the store answers");
            session.login("ada", 1).await.expect("logs in");
            let mut response = Wire::default();
            let keep = HeaderValue::from_static("max-age=600");
            let name = HeaderName::from_static("cdn-cache-control");
            response.headers_mut().insert(name, keep);
            ((), response)
        })
        .await;
    assert_eq!(fields(&answer, "set-cookie").len(), 1);
    assert_eq!(fields(&answer, "cdn-cache-control"), [""; 0]);
}

on_both_stores!(
    a_call_of_grpc_that_failed_changes_nothing,
    no_cache_of_a_cdn_keeps_a_ticket,
);
