//! What a recorder of the `metrics` facade is told.

mod common;

use std::{collections::HashMap, time::Instant};

use metrics::with_local_recorder;
use metrics_util::{
    MetricKind,
    debugging::{DebugValue, DebuggingRecorder, Snapshotter},
};
use tower::Layer;
use tower_keep_store::Outcome;

use crate::common::{MILLI, Scripted, ask, by_segment, place, series, told};

/// Of each series: what kind it is, its description, and its value.
type Seen = HashMap<String, (MetricKind, String, f64)>;

fn seen(snapshotter: &Snapshotter) -> Seen {
    let all = snapshotter.snapshot().into_vec().into_iter();
    let of = |(key, _, help, value): (
        metrics_util::CompositeKey,
        _,
        Option<metrics::SharedString>,
        _,
    )| {
        let (kind, key) = key.into_parts();
        let labels = key.labels().map(|label| (label.key(), label.value()));
        let value = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(_) => panic!("histograms want each value by itself"),
        };
        let help = help.expect("all are described").to_string();
        (series(key.name(), labels), (kind, help, value))
    };
    all.map(of).collect()
}

#[tokio::test]
async fn a_recorder_is_told_what_prometheus_is() {
    let (store, clock) = place();
    let (layer, handle) = by_segment(store).build().expect("makes sense");
    let mut service = layer.layer(Scripted(clock));
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    for round in 1..=3 {
        for outcome in [Outcome::Miss, Outcome::Hit, Outcome::Hit, Outcome::Error] {
            ask(&mut service, told("/a\"b/1", outcome, 3 * MILLI)).await;
        }
        // As often as anybody likes: nothing is counted twice.
        (0..round).for_each(|_| with_local_recorder(&recorder, || handle.record_metrics()));
        let seen = seen(&snapshotter);
        let truth = common::scraped(&handle.prometheus());
        assert_eq!(seen.len(), truth.len());
        for (series, (kind, help, value)) in &seen {
            let truth = truth[series];
            assert!((value - truth).abs() < 1e-9, "{series}: {value}, {truth}");
            let is_whole = !series.contains("_seconds") || series.contains("_bucket");
            if is_whole && series.contains("_total") {
                assert_eq!(*kind, MetricKind::Counter, "{series}");
            }
            assert!(!help.is_empty(), "{series}");
        }
        let hits = "tower_keep_requests_total{class=a\"b,kind=http,outcome=hit}";
        assert_eq!(seen[hits].2, f64::from(2 * round));
    }
}

#[tokio::test]
async fn without_a_recorder_nothing_happens() {
    let (store, clock) = place();
    let (layer, handle) = by_segment(store).build().expect("makes sense");
    ask(
        &mut layer.layer(Scripted(clock)),
        told("/jobs/1", Outcome::Hit, MILLI),
    )
    .await;
    handle.record_metrics();
}

/// However many labels there are, however often it is told: nothing piles up.
#[tokio::test]
async fn a_recorder_is_never_told_more_than_all_classes_have() {
    let (store, clock) = place();
    let (layer, handle) = by_segment(store).build().expect("makes sense");
    let mut service = layer.layer(Scripted(clock));
    let recorder = DebuggingRecorder::new();
    for label in 0..1000 {
        let path = format!("/label-{label}/1");
        ask(&mut service, told(&path, Outcome::Hit, MILLI)).await;
        if label % 250 == 0 {
            with_local_recorder(&recorder, || handle.record_metrics());
        }
    }
    let started = Instant::now();
    with_local_recorder(&recorder, || handle.record_metrics());
    let told = started.elapsed();
    let text = handle.prometheus();
    println!("{told:?}, as text {:?}", started.elapsed() - told);
    let series = seen(&recorder.snapshotter()).len();
    assert_eq!(series, common::scraped(&text).len());
    assert!(series <= 256 * 101 + 7, "{series}");
}
