//! Layers further in are told who is logged in.

use std::convert::Infallible;

use http::{Request, StatusCode, header};
use tower::{ServiceExt, service_fn};
use tower_keep_session::{IdentifyLayer, SessionLayer};
use tower_keep_store::{Identity, PersonalCell};
use tower_layer::Layer;

use crate::common::{Browser, Side, Wire, on_both_stores};

/// What a layer further in is told, and whether the response may be personal.
async fn told(layer: &SessionLayer, cookie: Option<&str>) -> Result<(String, bool), StatusCode> {
    let service = service_fn(async |request: Request<()>| {
        let identity = request.extensions().get::<Identity>();
        let name = identity.map_or("nobody", Identity::as_str).to_owned();
        Ok::<_, Infallible>(Wire::new(name.into()))
    });
    let service = layer.layer(IdentifyLayer::new().layer(service));
    let mut request = Request::new(());
    if let Some(cookie) = cookie {
        let cookie = cookie.parse().expect("a cookie");
        request.headers_mut().insert(header::COOKIE, cookie);
    }
    let response = service.oneshot(request).await.expect("no errors are added");
    if response.status() != StatusCode::OK {
        return Err(response.status());
    }
    let cell = response.extensions().get::<PersonalCell>();
    assert!(!cell.is_some_and(PersonalCell::is_marked), "nobody looked");
    let is_personal = cell.is_some_and(PersonalCell::is_identified);
    assert_eq!(is_personal, response.headers().contains_key(header::VARY));
    let body = http_body_util::BodyExt::collect(response.into_body()).await;
    let body = body.expect("a whole body").to_bytes();
    Ok((String::from_utf8_lossy(&body).into_owned(), is_personal))
}

async fn who_is_logged_in_is_told_and_nobody_else(side: Side) {
    let layer = side.layer();
    let mut browser = Browser::new(&layer);
    assert_eq!(told(&layer, None).await, Ok(("nobody".to_owned(), false)));
    browser.set("cart", 1).await;
    let cookie = browser.cookie.clone();
    assert_eq!(
        told(&layer, cookie.as_deref()).await,
        Ok(("nobody".to_owned(), false))
    );
    browser.login("ada").await;
    let cookie = browser.cookie.clone();
    assert_eq!(
        told(&layer, cookie.as_deref()).await,
        Ok(("ada".to_owned(), true))
    );
    browser
        .does(async |session| session.logout().await.expect("logs out"))
        .await;
    assert_eq!(
        told(&layer, cookie.as_deref()).await,
        Ok(("nobody".to_owned(), false))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn telling_costs_one_read_and_none_without_a_ticket() {
    let side = Side::redis();
    let layer = side.layer();
    let mut browser = Browser::new(&layer);
    browser.login("ada").await;
    let server = side.server().expect("the side with a server");
    server.reset_stats();
    told(&layer, None).await.expect("an answer");
    assert!(!server.command_stats().contains_key("mget"));
    told(&layer, browser.cookie.as_deref())
        .await
        .expect("an answer");
    assert_eq!(server.command_stats()["mget"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_is_not_nobody() {
    let mut side = Side::redis();
    let layer = side.layer();
    let mut browser = Browser::new(&layer);
    browser.login("ada").await;
    side.server_mut().kill();
    let cookie = browser.cookie.as_deref();
    assert_eq!(
        told(&layer, cookie).await,
        Err(StatusCode::SERVICE_UNAVAILABLE)
    );
    let lenient = layer.allow_anonymous_on_failure();
    assert_eq!(
        told(&lenient, cookie).await,
        Ok(("nobody".to_owned(), false))
    );
}

on_both_stores!(who_is_logged_in_is_told_and_nobody_else);
