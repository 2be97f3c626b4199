//! Among the other layers, in any order; and what is told of it.

mod common;

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use tower::{Layer, Service, ServiceExt, util::BoxCloneService};
use tower_keep_cache::CacheLayer;
use tower_keep_hit_rate::{HitRateHandle, HitRateLayer};
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer};
use tower_keep_store::{Outcome, Store};
use tower_keep_test_support::{Origin, OriginError, ScriptedBody};

use crate::common::{MILLI, Scripted, ask, by_segment, get, outcomes, place, told};

#[derive(Clone, Copy)]
enum Piece {
    HitRate,
    Cache,
    Limit,
}

type Boxed =
    BoxCloneService<Request<ScriptedBody>, Response<UnsyncBoxBody<Bytes, io::Error>>, OriginError>;

/// One type for every stack.
fn boxed<S, B>(service: S) -> Boxed
where
    S: Service<Request<ScriptedBody>, Response = Response<B>, Error = OriginError>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let whole = |body: B| body.map_err(io::Error::other).boxed_unsync();
    let service = service.map_response(move |response: Response<B>| response.map(whole));
    BoxCloneService::new(service)
}

/// Ten requests for one page, of which the limit lets six through.
async fn ten_through(order: [Piece; 3]) -> HitRateHandle {
    let store = Store::memory();
    let (layer, handle) = HitRateLayer::pair(store.clone());
    let everybody = Policy::new("all", Quota::new(6, Duration::from_secs(24 * 3600)));
    let limit = RateLimitLayer::builder(store.clone())
        .policy(everybody.by(Key::from_fn(|_| Some("everybody"))))
        .build()
        .expect("makes sense");
    let cache = CacheLayer::new(store);
    let origin = Origin::new(async |_: Request<ScriptedBody>| {
        let response = Response::builder().header("cache-control", "max-age=60");
        Ok(response
            .body(ScriptedBody::full("a page"))
            .expect("a response"))
    });
    let mut service = boxed(origin);
    for piece in order.into_iter().rev() {
        service = match piece {
            Piece::HitRate => boxed(layer.layer(service)),
            Piece::Cache => boxed(cache.layer(service)),
            Piece::Limit => boxed(limit.layer(service)),
        };
    }
    for _ in 0..10 {
        ask(&mut service, get("/page").map(ScriptedBody::full)).await;
    }
    handle
}

#[tokio::test]
async fn the_layers_may_stand_in_any_order() {
    use Piece::{Cache, HitRate, Limit};
    for (order, hit, miss, bypass, rejected) in [
        ([HitRate, Limit, Cache], 5, 1, 0, 4),
        ([HitRate, Cache, Limit], 9, 1, 0, 0),
        ([Limit, HitRate, Cache], 5, 1, 0, 0),
        ([Cache, HitRate, Limit], 0, 0, 1, 0),
        ([Limit, Cache, HitRate], 0, 0, 1, 0),
        ([Cache, Limit, HitRate], 0, 0, 1, 0),
    ] {
        let handle = ten_through(order).await;
        let outcomes = outcomes(&handle);
        let counted = (
            outcomes.hit,
            outcomes.miss,
            outcomes.bypass,
            outcomes.rejected,
        );
        assert_eq!(counted, (hit, miss, bypass, rejected));
        assert_eq!(outcomes.sum(), handle.snapshot().requests);
    }
}

#[tokio::test]
async fn a_snapshot_is_serialised_under_stable_names() {
    let (store, clock) = place();
    let (layer, handle) = by_segment(store)
        .allow_key_names()
        .build()
        .expect("makes sense");
    let mut service = layer.layer(Scripted(clock));
    ask(&mut service, told("/jobs/1?a", Outcome::Miss, 8 * MILLI)).await;
    ask(&mut service, told("/jobs/1?a", Outcome::Hit, MILLI)).await;
    let json = serde_json::to_value(handle.snapshot()).expect("serialises");
    assert_eq!(json["version"], 1);
    assert_eq!(json["in_flight"], 0);
    assert_eq!(json["hot_keys"][0]["key"], "/jobs/1?a");
    assert_eq!(json["hot_keys"][0]["requests"], 2);
    let class = &json["classes"][0];
    assert_eq!(class["class"], "jobs");
    assert_eq!(class["verdict"], "no_data");
    assert_eq!(class["worth"], "no_data");
    assert_eq!(class["minute"]["hit_rate"], 0.5);
    assert_eq!(class["minute"]["outcomes"]["hit"], 1);
    assert_eq!(class["hour"]["cache_bytes"], 10);
    // The hit saved 7 ms of the origin's time less its own millisecond; the miss looked for one.
    assert_eq!(class["since_start"]["ledger"]["saved_ms"], 5.0);
    let p50 = class["hit_latency"]["p50"].as_f64().expect("measured");
    assert!((p50 - 0.001).abs() < 0.000_03);
    assert!(class["collapsed_latency"].is_null());
}

#[tokio::test]
async fn keys_are_not_named_unless_allowed() {
    let (store, clock) = place();
    let (layer, handle) = HitRateLayer::pair(store);
    let mut service = layer.layer(Scripted(clock));
    ask(&mut service, get("/secret?token=1")).await;
    let snapshot = handle.snapshot();
    assert_eq!(snapshot.hot_keys[0].key.len(), 16);
    let all = serde_json::to_string(&snapshot).expect("serialises") + &handle.prometheus();
    assert!(!all.contains("secret") && !all.contains("token"), "{all}");
}

#[tokio::test]
async fn prometheus_is_told_counts_that_agree() {
    let (store, clock) = place();
    let (layer, handle) = by_segment(store).build().expect("makes sense");
    let mut service = layer.layer(Scripted(clock));
    for (outcome, time) in [(Outcome::Miss, 30), (Outcome::Hit, 1), (Outcome::Hit, 2)] {
        ask(&mut service, told("/jobs/1", outcome, time * MILLI)).await;
    }
    let text = handle.prometheus();
    for line in [
        "# TYPE tower_keep_requests_total counter",
        "tower_keep_requests_total{class=\"jobs\",kind=\"http\",outcome=\"hit\"} 2",
        "tower_keep_requests_total{class=\"jobs\",kind=\"http\",outcome=\"rejected\"} 0",
        "tower_keep_response_bytes_total{class=\"jobs\",kind=\"http\",source=\"cache\"} 20",
        "tower_keep_origin_avoided_seconds_total{class=\"jobs\",kind=\"http\"} 0.06",
        "tower_keep_request_duration_seconds_bucket{class=\"jobs\",kind=\"http\",answer=\"hit\",le=\"0.00005\"} 0",
        "tower_keep_request_duration_seconds_bucket{class=\"jobs\",kind=\"http\",answer=\"hit\",le=\"0.0025\"} 2",
        "tower_keep_request_duration_seconds_sum{class=\"jobs\",kind=\"http\",answer=\"hit\"} 0.003",
        "tower_keep_request_duration_seconds_count{class=\"jobs\",kind=\"http\",answer=\"origin\"} 1",
        "tower_keep_origin_calls_total{class=\"jobs\",kind=\"http\"} 1",
        "tower_keep_misses_not_stored_total{class=\"jobs\",kind=\"http\"} 0",
        "tower_keep_evictions_total{level=\"embedded\",reason=\"expired\"} 0",
        "tower_keep_hit_head_seconds_total{class=\"jobs\",kind=\"http\"} 0.003",
        "tower_keep_request_duration_seconds_bucket{class=\"jobs\",kind=\"http\",answer=\"hit\",le=\"+Inf\"} 2",
        "tower_keep_requests_in_flight 0",
        "tower_keep_uptime_seconds 0.033",
    ] {
        assert!(
            text.lines().any(|it| it == line),
            "{line} is not in\n{text}"
        );
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn thresholds_that_make_no_sense_are_refused_by_name() {
    let builder = || HitRateLayer::builder(Store::memory());
    for (builder, name) in [
        (builder().tune_below(0.95), "tune_below"),
        (builder().excellent_above(f64::NAN), "excellent_above"),
        (builder().least_lookups(0), "least_lookups"),
        (builder().worth_from(-1.0), "worth_from"),
    ] {
        let error = builder.build().expect_err("makes no sense").to_string();
        assert!(error.contains(name), "{error}");
    }
}

/// Gathers the lines of the log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_line_in_the_log_tells_how_a_class_does() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _in_force = tracing::subscriber::set_default(subscriber);
    let (store, clock) = place();
    let (layer, handle) = by_segment(store).build().expect("makes sense");
    let mut service = layer.layer(Scripted(clock.clone()));
    for _ in 0..20 {
        clock.advance(Duration::from_secs(3));
        for request in 0..250 {
            let outcome = if request % 10 == 0 {
                Outcome::Miss
            } else {
                Outcome::Hit
            };
            ask(&mut service, told("/jobs/1", outcome, Duration::ZERO)).await;
        }
    }
    let text = lines
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let text = String::from_utf8(text).expect("text");
    // Five thousand lookups in a minute.
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(
        text.contains("class=\"jobs\"") && text.contains("hit_rate=0.9 "),
        "{text}"
    );
    assert_eq!(outcomes(&handle).sum(), 5000);
}
