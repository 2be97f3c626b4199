//! A handler that is told who asks answers nobody else with that, whatever a cache does.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_keep_cache::CacheLayer;
use tower_keep_session::{IdentifyLayer, SessionLayer};
use tower_keep_store::{Identity, Store};

use crate::common::Browser;

/// `IdentifyLayer` hands a handler the user without a look at the session, and the handler uses it.
async fn page_of(first: &str, second: &str, cache_is_outside: bool) -> String {
    let store = Store::memory();
    let layer = SessionLayer::new(store.clone());
    let handler = service_fn(async |request: Request<Full<Bytes>>| {
        let user = request.extensions().get::<Identity>();
        let text = user.map_or("nobody", Identity::as_str).to_owned();
        let page = Response::builder().header("cache-control", "public, max-age=60");
        Ok::<_, Infallible>(page.body(Full::<Bytes>::from(text)).expect("a page"))
    });
    let cache = CacheLayer::new(store);
    let mut text = String::new();
    for user in [first, second] {
        let mut browser = Browser::new(&layer);
        browser.login(user).await;
        let cookie = browser.cookie.expect("a cookie");
        let request = Request::get("http://site.example/mine").header("cookie", cookie);
        let request = request.body(Full::default()).expect("a request");
        let body = if cache_is_outside {
            let inner = layer.layer(IdentifyLayer::new().layer(handler));
            let answer = cache.layer(inner).oneshot(request).await.expect("answers");
            answer.into_body().collect().await
        } else {
            let inner = IdentifyLayer::new().layer(cache.layer(handler));
            let answer = layer.layer(inner).oneshot(request).await.expect("answers");
            answer.into_body().collect().await
        };
        let body = body.unwrap_or_else(|never| match never {});
        text = String::from_utf8(body.to_bytes().to_vec()).expect("text");
    }
    text
}

#[tokio::test]
async fn who_is_identified_gets_nobody_elses_page_from_a_cache_outside() {
    assert_eq!(page_of("ada", "grace", true).await, "grace");
}

#[tokio::test]
async fn who_is_identified_gets_nobody_elses_page_from_a_cache_inside() {
    assert_eq!(page_of("ada", "grace", false).await, "grace");
}
