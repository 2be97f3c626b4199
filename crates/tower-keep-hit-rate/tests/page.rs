//! The page as a service: what it answers, to whom, and for how long.
#![cfg(feature = "page")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::{Layer, Service, ServiceExt};
use tower_keep_hit_rate::{HitRateHandle, HitRateLayer, Page, PageBody};
use tower_keep_store::{Outcome, Store};

use crate::common::{MICRO, Scripted, ask, by_segment, get, place, told};

fn handle() -> HitRateHandle {
    HitRateLayer::pair(Store::memory()).1
}

async fn send(page: &Page, method: Method, path: &str) -> Response<PageBody> {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(()).expect("a request");
    page.clone().oneshot(request).await.expect("never fails")
}

async fn look(page: &Page, path: &str) -> Response<PageBody> {
    send(page, Method::GET, path).await
}

async fn text(response: Response<PageBody>) -> String {
    let body = response.into_body().collect().await.expect("whole");
    String::from_utf8(body.to_bytes().to_vec()).expect("text")
}

async fn json(page: &Page) -> Value {
    let text = text(look(page, "/snapshot").await).await;
    serde_json::from_str(&text).expect("JSON")
}

fn header<'a>(response: &'a Response<PageBody>, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().expect("text"))
}

async fn watch(page: &Page) -> PageBody {
    let response = look(page, "/events").await;
    assert_eq!(response.status(), StatusCode::OK);
    response.into_body()
}

/// The next frame of a stream, if it comes.
async fn frame(body: &mut PageBody) -> Option<Bytes> {
    let frame = body.frame().await?.expect("never fails");
    Some(frame.into_data().expect("data"))
}

/// The next snapshot of a stream, as it is framed.
async fn event(body: &mut PageBody) -> Bytes {
    loop {
        let frame = frame(body).await.expect("goes on");
        if frame.starts_with(b"data: ") {
            return frame;
        }
        assert_eq!(frame, "retry: 2000\n\n");
    }
}

fn requests(event: &[u8]) -> u64 {
    let data = event.strip_prefix(b"data: ").expect("framed");
    let data = data.strip_suffix(b"\n\n").expect("framed");
    assert!(!data.contains(&b'\n'), "one line");
    let value: Value = serde_json::from_slice(data).expect("JSON");
    value["requests"].as_u64().expect("a number")
}

#[tokio::test]
async fn each_path_answers_in_its_own_type_and_nothing_is_kept() {
    let page = handle().page();
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/events", "text/event-stream"),
        ("/snapshot", "application/json"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let response = send(&page, method.clone(), path).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(header(&response, "content-type"), content_type);
            assert_eq!(header(&response, "cache-control"), "no-store");
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
            if method == Method::HEAD {
                assert!(response.body().is_end_stream(), "{path}");
            }
        }
    }
    let head = send(&page, Method::HEAD, "/").await;
    let whole = text(look(&page, "/").await).await;
    assert_eq!(header(&head, "content-length"), whole.len().to_string());
    assert!(whole.len() < 60 * 1024);
    assert!(header(&head, "content-security-policy").starts_with("default-src 'none';"));
}

#[tokio::test]
async fn there_is_nothing_else_and_nothing_to_change() {
    let page = handle().page();
    for path in [
        "/nothing",
        "/events/",
        "/snapshot/1",
        "//",
        "/../",
        "/keep/",
    ] {
        for method in [Method::GET, Method::POST] {
            let response = send(&page, method, path).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            assert_eq!(header(&response, "cache-control"), "no-store");
        }
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        for path in ["/", "/events", "/snapshot", "/metrics"] {
            let response = send(&page, method.clone(), path).await;
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(header(&response, "allow"), "GET, HEAD");
            assert_eq!(header(&response, "cache-control"), "no-store");
        }
    }
}

#[tokio::test]
async fn whoever_is_not_allowed_learns_nothing() {
    let page = handle()
        .page()
        .allow(|head| head.headers.contains_key("x-known"));
    for path in ["/", "/events", "/snapshot", "/metrics", "/nothing"] {
        for method in [Method::GET, Method::POST] {
            let response = send(&page, method, path).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
            assert_eq!(text(response).await, "not for you\n");
        }
    }
    let request = Request::get("/").header("x-known", "1").body(());
    let response = page.oneshot(request.expect("a request")).await;
    assert_eq!(response.expect("never fails").status(), StatusCode::OK);
}

#[tokio::test]
async fn it_stands_under_any_prefix() {
    let page = handle().page().prefix("/ops/keep/");
    for path in ["/ops/keep", "/ops/keep/", "/ops/keep/snapshot", "/snapshot"] {
        assert_eq!(look(&page, path).await.status(), StatusCode::OK, "{path}");
    }
    for path in ["/ops/keeper", "/ops", "/ops/keep/ops/keep"] {
        assert_eq!(look(&page, path).await.status(), StatusCode::NOT_FOUND);
    }
    let app: axum::Router = axum::Router::new()
        .nest_service("/keep", handle().page())
        .route_service("/metrics", handle().page());
    for path in [
        "/keep",
        "/keep/",
        "/keep/events",
        "/keep/metrics",
        "/metrics",
    ] {
        let request = Request::get(path).body(axum::body::Body::empty());
        let response = app.clone().oneshot(request.expect("a request")).await;
        assert_eq!(
            response.expect("an answer").status(),
            StatusCode::OK,
            "{path}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_comes_each_second() {
    let (layer, handle) = HitRateLayer::pair(Store::memory());
    let mut service = layer.layer(Scripted(tower_keep_store::Clock::system()));
    let page = handle.page();
    let mut body = watch(&page).await;
    for asked in 0..5 {
        let before = tokio::time::Instant::now();
        assert_eq!(requests(&event(&mut body).await), asked);
        assert!(before.elapsed() <= Duration::from_millis(1001));
        ask(&mut service, get("/a")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_watch_share_one_frame() {
    let page = handle().page();
    let mut bodies = Vec::new();
    for _ in 0..64 {
        bodies.push(watch(&page).await);
    }
    for _ in 0..3 {
        let first = event(&mut bodies[0]).await;
        for body in &mut bodies[1..] {
            let other = event(body).await;
            assert_eq!(other.as_ptr(), first.as_ptr(), "the same bytes");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_when_all_places_are_taken_is_told_when_to_come_again() {
    let page = handle().page();
    let mut bodies = Vec::new();
    for _ in 0..64 {
        bodies.push(watch(&page).await);
    }
    let response = look(&page, "/events").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(&response, "retry-after"), "10");
    assert_eq!(
        send(&page, Method::HEAD, "/events").await.status(),
        StatusCode::OK
    );
    assert_eq!(look(&page, "/snapshot").await.status(), StatusCode::OK);
    // One that was never read leaves its place as well as one that was.
    event(&mut bodies[0]).await;
    bodies.truncate(62);
    bodies.remove(0);
    for _ in 0..3 {
        bodies.push(watch(&page).await);
    }
    assert_eq!(
        look(&page, "/events").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_asked_for_nothing_and_gets_the_newest() {
    let (layer, handle) = HitRateLayer::pair(Store::memory());
    let mut service = layer.layer(Scripted(tower_keep_store::Clock::system()));
    let page = handle.page();
    let (mut slow, mut quick) = (watch(&page).await, watch(&page).await);
    assert_eq!(requests(&event(&mut slow).await), 0);
    for asked in 0..100 {
        assert_eq!(requests(&event(&mut quick).await), asked);
        ask(&mut service, get("/a")).await;
    }
    let next = requests(&event(&mut slow).await);
    assert!(next >= 99, "{next}: nothing was queued");
    // What comes after is in step again.
    let (one, other) = (event(&mut slow).await, event(&mut quick).await);
    assert_eq!(requests(&one), requests(&other));
}

#[tokio::test(start_paused = true)]
async fn streams_end_when_the_page_is_closed_and_none_begins() {
    let page = handle().page();
    let mut body = watch(&page).await;
    event(&mut body).await;
    page.close();
    assert_eq!(frame(&mut body).await, None);
    assert_eq!(frame(&mut body).await, None);
    assert_eq!(
        look(&page, "/events").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(look(&page, "/snapshot").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn labels_of_clients_are_text_and_end_nothing() {
    let hostile = "</script><script>alert(1)</script>\u{2028}\n\ndata: {}";
    let (layer, handle) = HitRateLayer::builder(Store::memory())
        .label(|head| {
            let label = head.headers.get("x-label")?;
            Some(
                String::from_utf8_lossy(label.as_bytes())
                    .into_owned()
                    .into(),
            )
        })
        .build()
        .expect("makes sense");
    let mut service = layer.layer(Scripted(tower_keep_store::Clock::system()));
    // A header has no line breaks.
    let hostile = hostile.replace('\n', "\t");
    for label in [hostile.clone(), "x".repeat(4096)] {
        let mut request = get("/a");
        let label = http::HeaderValue::from_bytes(label.as_bytes()).expect("a value");
        request.headers_mut().insert("x-label", label);
        ask(&mut service, request).await;
    }
    let page = handle.page();
    let told = json(&page).await;
    let classes = told["classes"].as_array().expect("a list");
    let label = |class: &Value| class["class"].as_str().expect("text").to_owned();
    let labels: Vec<_> = classes.iter().map(label).collect();
    assert!(labels.contains(&hostile));
    assert!(labels.iter().all(|label| label.len() <= 128));
    let document = text(look(&page, "/").await).await;
    assert!(
        !document.contains("alert("),
        "the page is the same for everybody"
    );
    requests(&event(&mut watch(&page).await).await);
}

/// What the page is told, with as many classes as there can be.
#[tokio::test]
async fn a_frame_is_bounded() {
    let (store, clock) = place();
    let (layer, handle) = by_segment(store).build().expect("makes sense");
    let mut service = layer.layer(Scripted(clock));
    for class in 0..300 {
        for (outcome, micros) in [(Outcome::Hit, 7), (Outcome::Miss, 20_000)] {
            let path = format!("/{}{class}/a", "x".repeat(124));
            let response = service.call(told(&path, outcome, micros * MICRO));
            response
                .await
                .expect("an answer")
                .into_body()
                .collect()
                .now_or_never();
        }
    }
    let start = std::time::Instant::now();
    let bytes = text(look(&handle.page(), "/snapshot").await).await.len();
    println!("256 classes: {bytes} bytes, made in {:?}", start.elapsed());
    assert!(bytes < 2_000_000, "{bytes}");
}
