//! Advice on size, as the layer tells it.

mod common;

use http::Request;
use tower::Layer;
use tower_keep_hit_rate::HitRateLayer;
use tower_keep_store::{Outcome, Store};

use crate::common::{MICRO, Scripted, ask, get, place, told};

#[tokio::test]
async fn a_loop_of_paths_is_found_by_a_cache_that_holds_all_of_them() {
    let (store, clock) = place();
    let (layer, handle) = HitRateLayer::pair(store);
    let mut service = layer.layer(Scripted(clock));
    for request in 0..1023 {
        let path = format!("/jobs/{}", request % 50);
        ask(&mut service, told(&path, Outcome::Miss, MICRO)).await;
    }
    assert_eq!(handle.snapshot().curve, []);
    ask(&mut service, told("/jobs/23", Outcome::Hit, MICRO)).await;
    let snapshot = handle.snapshot();
    let (last, smaller) = snapshot.curve.split_last().expect("asked often enough");
    assert!(smaller.iter().all(|point| point.hit_rate == 0.0));
    assert_eq!((last.entries, last.bytes), (50, Some(500)));
    assert!((last.hit_rate - 974.0 / 1024.0).abs() < 1e-9);
    assert_eq!(snapshot.enough_entries, Some(50));
    let json = serde_json::to_value(&snapshot).expect("plain data");
    let last = &json["curve"][smaller.len()];
    assert_eq!(
        (&last["entries"], &last["bytes"]),
        (&50.into(), &500.into())
    );
    assert!(last["hit_rate"].is_f64() && json["enough_entries"] == 50);
}

#[tokio::test]
async fn what_no_cache_answers_is_not_simulated() {
    let (store, clock) = place();
    let (layer, handle) = HitRateLayer::pair(store);
    let mut service = layer.layer(Scripted(clock));
    for _ in 0..2000 {
        ask(&mut service, told("/jobs", Outcome::Bypass, MICRO)).await;
        ask(&mut service, told("/jobs", Outcome::Rejected, MICRO)).await;
        let request = Request::post("/jobs").body(String::new());
        ask(&mut service, request.expect("a request")).await;
    }
    let snapshot = handle.snapshot();
    assert_eq!((snapshot.curve, snapshot.enough_entries), (vec![], None));
}

#[tokio::test]
async fn a_service_without_a_cache_has_a_curve() {
    let (layer, handle) = HitRateLayer::pair(Store::memory());
    let (_, clock) = place();
    let mut service = layer.layer(Scripted(clock));
    for _ in 0..2000 {
        ask(&mut service, get("/jobs")).await;
    }
    let snapshot = handle.snapshot();
    let point = snapshot.curve[0];
    assert_eq!((point.entries, point.bytes), (1, Some(10)));
    assert!(point.hit_rate > 0.99);
}
