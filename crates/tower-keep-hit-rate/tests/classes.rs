//! Classes: by route, by method, by closure; bounded whatever comes.

mod common;

use std::{convert::Infallible, time::Duration};

use axum::{Router, routing::get};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_keep_hit_rate::{HitRateHandle, HitRateLayer};
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer};
use tower_keep_store::{Outcome, Store};

use crate::common::{MICRO, Scripted, ask, by_segment, outcomes, place, told};

#[test]
fn a_million_paths_stay_within_256_classes_and_16_megabytes() {
    const PATHS: u64 = 1_000_000;
    let (store, clock) = place();
    let mut kept = None;
    let used = allocation_counter::measure(|| {
        let builder = HitRateLayer::builder(store).allow_key_names();
        let builder = builder.label(|head| Some(head.uri.path().into()));
        let (layer, handle) = builder.build().expect("makes sense");
        let mut service = layer.layer(Scripted(clock));
        for path in 0..PATHS {
            let request = told(&format!("/jobs/{path}"), Outcome::Miss, MICRO);
            drop(service.call(request));
        }
        kept = Some(handle);
    });
    let handle = kept.expect("made");
    println!(
        "{} bytes at most, {} at the end",
        used.bytes_max, used.bytes_current
    );
    assert!(used.bytes_max <= 16 << 20, "{used:?}");
    let snapshot = handle.snapshot();
    assert!(snapshot.classes.len() <= 256);
    assert_eq!(snapshot.requests, PATHS);
    assert_eq!(outcomes(&handle).miss, PATHS);
    let other = snapshot.class("other").expect("too many labels");
    assert_eq!(other.since_start.outcomes.miss, PATHS - 252);
}

#[tokio::test]
async fn labels_of_four_kibibytes_are_cut() {
    let (store, clock) = place();
    let (layer, handle) = by_segment(store).build().expect("makes sense");
    let mut service = layer.layer(Scripted(clock));
    let path = format!("/{}", "x".repeat(4096));
    ask(&mut service, told(&path, Outcome::Hit, MICRO)).await;
    let snapshot = handle.snapshot();
    assert_eq!(snapshot.classes[0].class, "x".repeat(128));
}

#[tokio::test]
async fn a_method_of_grpc_is_a_class_once_it_has_answered() {
    let (layer, handle) = HitRateLayer::pair(Store::memory());
    let mut service = layer.layer(service_fn(async |request: Request<String>| {
        let status = match request.uri().path() {
            "/hiring.Jobs/List" => "0",
            _ => "12",
        };
        let response = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", status);
        Ok::<_, Infallible>(response.body(String::new()).expect("a response"))
    }));
    for path in ["/hiring.Jobs/List", "/hiring.Jobs/List", "/no.Such/Method"] {
        let request = Request::post(path).header("content-type", "application/grpc");
        ask(
            &mut service,
            request.body(String::new()).expect("a request"),
        )
        .await;
    }
    assert_eq!(
        bypasses(&handle),
        [("/hiring.Jobs/List".into(), 2), ("unmatched".into(), 1)]
    );
}

/// A limit refuses what it does not know to exist: a client that made up its methods would use up all classes.
#[tokio::test]
async fn a_method_that_was_only_refused_is_no_class() {
    let store = Store::memory();
    let (layer, handle) = HitRateLayer::pair(store.clone());
    let one = Policy::new("all", Quota::new(1, Duration::from_secs(24 * 3600)));
    let limit = RateLimitLayer::builder(store)
        .policy(one.by(Key::from_fn(|_| Some("everybody"))))
        .build()
        .expect("makes sense");
    let inner = service_fn(async |_: Request<String>| {
        let response = Response::builder().header("content-type", "application/grpc");
        Ok::<_, Infallible>(
            response
                .body(Full::<bytes::Bytes>::default())
                .expect("a response"),
        )
    });
    let mut service = layer.layer(limit.layer(inner));
    for number in 0..300 {
        let request = Request::post(format!("/made.Up/Method{number}"))
            .header("content-type", "application/grpc")
            .body(String::new());
        ask(&mut service, request.expect("a request")).await;
    }
    let classes = handle.snapshot().classes;
    let labels: Vec<_> = classes.iter().map(|class| &class.class).collect();
    assert_eq!(labels, ["unmatched", "/made.Up/Method0"]);
    assert_eq!(classes[0].since_start.outcomes.rejected, 299);
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_route_of_axum_is_a_class_and_a_path_is_not() {
    let (layer, handle) = HitRateLayer::pair(Store::memory());
    let mut router = Router::new()
        .route("/jobs/{id}", get(async || "a job"))
        .layer(layer);
    for path in ["/jobs/1", "/jobs/2", "/nothing/here"] {
        let request = Request::get(path).body(axum::body::Body::empty());
        ask(&mut router, request.expect("a request")).await;
    }
    assert_eq!(
        bypasses(&handle),
        [("/jobs/{id}".into(), 2), ("unmatched".into(), 1)]
    );
}

#[cfg(not(feature = "axum"))]
#[tokio::test]
async fn without_the_feature_a_route_of_axum_is_unmatched() {
    let (layer, handle) = HitRateLayer::pair(Store::memory());
    let mut router = Router::new()
        .route("/jobs/{id}", get(async || "a job"))
        .layer(layer);
    let request = Request::get("/jobs/1").body(axum::body::Body::empty());
    ask(&mut router, request.expect("a request")).await;
    assert_eq!(bypasses(&handle), [("unmatched".into(), 1)]);
}

#[tokio::test]
async fn what_comes_of_a_head_is_whole_without_a_body() {
    let (layer, handle) = HitRateLayer::pair(Store::memory());
    let mut service = layer.layer(service_fn(async |_: Request<String>| {
        let mut response = Response::new(Full::new(bytes::Bytes::from("not on the wire")));
        *response.status_mut() = StatusCode::OK;
        Ok::<_, Infallible>(response)
    }));
    let request = Request::head("/").body(String::new()).expect("a request");
    drop(service.call(request).await.expect("an answer"));
    let snapshot = handle.snapshot();
    let window = &snapshot.classes[0].since_start;
    assert_eq!((window.bodies_abandoned, window.origin_bytes), (0, 0));
    assert_eq!(snapshot.in_flight, 0);
}

/// Each class with its requests, the busiest first.
fn bypasses(handle: &HitRateHandle) -> Vec<(String, u64)> {
    let classes = handle.snapshot().classes.into_iter();
    let told = classes.map(|class| (class.class, class.since_start.outcomes.bypass));
    told.collect()
}
