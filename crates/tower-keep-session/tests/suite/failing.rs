//! Handlers that fail after they changed who somebody is.

use std::convert::Infallible;

use http::{Request, StatusCode, header};
use tower::{ServiceExt, service_fn};
use tower_keep_session::{Session, SessionHandle, SessionLayer};
use tower_layer::Layer;

use crate::common::{Browser, Side, Wire, fields, on_both_stores};

const FAILED: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

async fn a_login_followed_by_5xx_is_kept_and_told(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.set("cart", 1).await;
    let login = async |session: Session| session.login("ada", 1).await.expect("logs in");
    let (_, answer) = browser.fails(FAILED, login).await;
    assert_eq!(answer.status(), FAILED);
    assert_eq!(fields(&answer, "set-cookie").len(), 1);
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    assert_eq!(browser.get("cart").await, Some(1));
}

async fn a_rotation_followed_by_5xx_is_kept_and_told(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    browser.set("cart", 1).await;
    let before = browser.cookie.clone();
    let rotate = async |session: Session| session.rotate().await.expect("rotates");
    browser.fails(FAILED, rotate).await;
    assert_ne!(browser.cookie, before);
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    assert_eq!(browser.get("cart").await, Some(1));
}

async fn a_logout_followed_by_5xx_is_kept_and_told(side: Side) {
    let mut browser = Browser::new(&side.layer());
    browser.login("ada").await;
    let mut before = browser.clone();
    let logout = async |session: Session| session.logout().await.expect("logs out");
    browser.fails(FAILED, logout).await;
    assert_eq!(browser.cookie, None);
    assert_eq!(before.user().await, None);
}

/// A request whose handler panics; the cookie that the answer sets, if there is an answer.
async fn panics(
    layer: &SessionLayer,
    cookie: Option<String>,
    before: impl AsyncFn(Session) + Clone + 'static,
) -> Option<String> {
    let service = service_fn(move |request: Request<()>| {
        let before = before.clone();
        async move {
            let handle = SessionHandle::of(request.extensions()).expect("the layer");
            before(handle.load().await.expect("the store answers")).await;
            assert!(request.headers().contains_key("calm"), "scripted panic");
            Ok::<_, Infallible>(Wire::default())
        }
    });
    let mut request = Request::new(());
    if let Some(cookie) = cookie {
        request
            .headers_mut()
            .insert(header::COOKIE, cookie.parse().expect("a cookie"));
    }
    let service = layer.layer(service);
    let tasks = tokio::task::LocalSet::new();
    let task = tasks.run_until(async {
        tokio::task::spawn_local(async move { service.oneshot(request).await }).await
    });
    let answer = task.await.ok()?.expect("the layer adds no errors");
    assert_eq!(answer.status(), FAILED);
    let lines = fields(&answer, "set-cookie");
    assert_eq!(fields(&answer, "cache-control"), ["no-store"]);
    Some(lines[0].split(';').next().expect("a pair").to_owned())
}

async fn a_login_or_rotation_followed_by_a_panic_is_kept_and_told(side: Side) {
    let layer = side.layer();
    let login = async |session: Session| session.login("ada", 1).await.expect("logs in");
    let cookie = panics(&layer, None, login).await.expect("is answered");
    let mut browser = Browser::new(&layer);
    browser.cookie = Some(cookie.clone());
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
    let rotate = async |session: Session| session.rotate().await.expect("rotates");
    let rotated = panics(&layer, Some(cookie.clone()), rotate)
        .await
        .expect("is answered");
    assert_ne!(rotated, cookie);
    browser.cookie = Some(rotated);
    assert_eq!(browser.user().await.as_deref(), Some("ada"));
}

async fn any_other_panic_goes_on_and_changes_nothing(side: Side) {
    let layer = side.layer();
    let mut browser = Browser::new(&layer);
    browser.set("a", 1).await;
    let set = async |session: Session| session.set("a", &2).expect("is noted");
    assert_eq!(panics(&layer, browser.cookie.clone(), set).await, None);
    assert_eq!(browser.get("a").await, Some(1));
}

on_both_stores!(
    a_login_followed_by_5xx_is_kept_and_told,
    a_rotation_followed_by_5xx_is_kept_and_told,
    a_logout_followed_by_5xx_is_kept_and_told,
    a_login_or_rotation_followed_by_a_panic_is_kept_and_told,
    any_other_panic_goes_on_and_changes_nothing,
);
