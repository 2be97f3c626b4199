//! Sessions as extractors of axum.

#![cfg(feature = "axum")]

mod common;

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use common::Side;
use http::{Request, Response, StatusCode, header};
use serde::{Deserialize, Serialize};
use tower::ServiceExt;
use tower_keep_session::{Session, SessionError, SessionHandle, SessionLayer};
use tower_keep_store::Store;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Cart {
    items: Vec<u32>,
}

async fn login(session: Session) -> Result<(), SessionError> {
    session.login("ada", 1).await
}

async fn me(session: Session) -> Result<String, SessionError> {
    session.user().ok_or(SessionError::Anonymous)
}

async fn cart(session: Session<Cart>) -> Result<String, SessionError> {
    session.modify(|cart| {
        cart.items.push(7);
        cart.items.len().to_string()
    })
}

async fn maybe(session: Option<Session>) -> String {
    match session {
        Some(session) => format!("{:?}", session.user()),
        None => "no session".to_owned(),
    }
}

async fn lazy(_: SessionHandle) -> &'static str {
    "did not look"
}

fn app(layer: SessionLayer) -> Router {
    let routes = Router::new()
        .route("/login", post(login))
        .route("/me", get(me))
        .route("/cart", get(cart))
        .route("/maybe", get(maybe))
        .route("/lazy", get(lazy));
    routes.layer(layer)
}

async fn send(app: &Router, method: &str, path: &str, cookie: Option<&str>) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    let request = request.body(Body::empty()).expect("a request");
    app.clone()
        .oneshot(request)
        .await
        .expect("axum has no errors")
}

async fn maybe_of(app: &Router, cookie: Option<&str>) -> String {
    let response = send(app, "GET", "/maybe", cookie).await;
    assert_eq!(response.headers()[header::VARY], "cookie");
    let body = axum::body::to_bytes(response.into_body(), 100).await;
    String::from_utf8(body.expect("a body").into()).expect("text")
}

fn cookie(response: &Response<Body>) -> String {
    let line = response.headers()[header::SET_COOKIE]
        .to_str()
        .expect("text");
    line.split(';').next().expect("a pair").to_owned()
}

#[tokio::test]
async fn who_logs_in_is_known_and_who_does_not_is_not() {
    let app = app(SessionLayer::new(Store::memory()));
    assert_eq!(
        send(&app, "GET", "/me", None).await.status(),
        StatusCode::UNAUTHORIZED
    );
    let cookie = cookie(&send(&app, "POST", "/login", None).await);
    assert_eq!(
        send(&app, "GET", "/me", Some(&cookie)).await.status(),
        StatusCode::OK
    );
    let response = send(&app, "GET", "/lazy", Some(&cookie)).await;
    assert!(!response.headers().contains_key(header::VARY));
}

#[tokio::test]
async fn a_session_of_a_type_is_an_extractor_too() {
    let app = app(SessionLayer::new(Store::memory()));
    let response = send(&app, "GET", "/cart", None).await;
    let cookie = cookie(&response);
    let response = send(&app, "GET", "/cart", Some(&cookie)).await;
    let body = axum::body::to_bytes(response.into_body(), 100).await;
    assert_eq!(body.expect("a body"), "2");
}

#[tokio::test]
async fn where_no_session_is_stored_there_is_none() {
    let app = app(SessionLayer::new(Store::memory()));
    assert_eq!(maybe_of(&app, None).await, "no session");
    let nowhere = format!("__Host-id={}", "A".repeat(43));
    assert_eq!(maybe_of(&app, Some(&nowhere)).await, "no session");
    let anonymous = cookie(&send(&app, "GET", "/cart", None).await);
    assert_eq!(maybe_of(&app, Some(&anonymous)).await, "None");
    let ada = cookie(&send(&app, "POST", "/login", None).await);
    assert_eq!(maybe_of(&app, Some(&ada)).await, r#"Some("ada")"#);
}

#[tokio::test]
async fn without_the_layer_it_is_a_mistake_of_the_application() {
    let app = Router::new()
        .route("/me", get(me))
        .route("/maybe", get(maybe));
    for path in ["/me", "/maybe"] {
        let response = send(&app, "GET", path, None).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_is_no_session_only_where_that_is_allowed() {
    let mut side = Side::redis();
    let layer = side.layer();
    let (strict, lenient) = (app(layer.clone()), app(layer.allow_anonymous_on_failure()));
    let cookie = cookie(&send(&strict, "POST", "/login", None).await);
    side.server_mut().kill();
    let response = send(&strict, "GET", "/maybe", Some(&cookie)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(maybe_of(&lenient, Some(&cookie)).await, "no session");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_is_a_503() {
    let mut side = Side::redis();
    let app = app(side.layer());
    let cookie = cookie(&send(&app, "POST", "/login", None).await);
    side.server_mut().kill();
    let response = send(&app, "GET", "/me", Some(&cookie)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    assert!(!response.headers().contains_key(header::SET_COOKIE));
}
