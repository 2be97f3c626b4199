//! What clients whom nobody knows cannot do to everybody else.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_keep_cache::CacheLayer;
use tower_keep_session::SessionLayer;
use tower_keep_store::Store;

use crate::common::Browser;

/// Each end of a session takes one of 65 536 places in the log that the cache depends on.
#[tokio::test(flavor = "multi_thread")]
async fn ends_of_sessions_cost_the_cache_nothing() {
    assert_eq!(calls_after_many_visits(true).await, 1);
}

/// The control: as many sessions that do not end.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_go_on_cost_the_cache_nothing() {
    assert_eq!(calls_after_many_visits(false).await, 1);
}

async fn calls_after_many_visits(they_end: bool) -> usize {
    let store = Store::memory();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let origin = service_fn(move |_: Request<Full<Bytes>>| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            let page = Response::builder().header("cache-control", "public, max-age=3600");
            Ok::<_, Infallible>(page.body(Full::<Bytes>::from("page")).expect("a page"))
        }
    });
    let cache = CacheLayer::new(store.clone()).layer(origin);
    let ask = async || {
        let request = Request::get("http://site.example/page").body(Full::default());
        let answer = cache.clone().oneshot(request.expect("a request")).await;
        let body = answer.expect("answers").into_body().collect().await;
        assert!(body.is_ok());
    };
    ask().await;
    ask().await;
    assert_eq!(calls.load(Ordering::SeqCst), 1, "it is kept");
    let layer = SessionLayer::new(store);
    for _ in 0..(1 << 16) + 1 {
        let mut nobody = Browser::new(&layer);
        nobody.set("a", 1).await;
        if they_end {
            nobody
                .does(async |session| session.flush().await.expect("ends"))
                .await;
        }
    }
    ask().await;
    calls.load(Ordering::SeqCst)
}

/// In memory, a thousand visits without a cookie log nobody out.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_nobody_end_before_those_of_users() {
    let layer = SessionLayer::new(Store::builder().memory_limit(100_000).memory());
    let mut user = Browser::new(&layer);
    user.login("ada").await;
    for i in 0..1000 {
        Browser::new(&layer).set("n", i).await;
    }
    assert_eq!(user.user().await.as_deref(), Some("ada"));
}

/// Nor do those who ask for new tickets and never come back: what a rotation leaves behind is nobody's either.
#[tokio::test(flavor = "multi_thread")]
async fn what_rotations_of_nobody_leave_ends_before_sessions_of_users() {
    let layer = SessionLayer::new(Store::builder().memory_limit(100_000).memory());
    let mut user = Browser::new(&layer);
    user.login("ada").await;
    for i in 0..1000 {
        let mut nobody = Browser::new(&layer);
        nobody.set("n", i).await;
        nobody
            .does(async |session| session.rotate().await.expect("rotates"))
            .await;
    }
    assert_eq!(user.user().await.as_deref(), Some("ada"));
}
