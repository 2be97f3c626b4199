//! What a meter of OpenTelemetry observes.

mod common;

use std::collections::HashMap;

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
    data::{AggregatedMetrics, Metric, MetricData, ResourceMetrics, ScopeMetrics},
};
use tower::Layer;
use tower_keep_hit_rate::HitRateHandle;
use tower_keep_store::Outcome;

use crate::common::{MILLI, Scripted, ask, by_segment, place, series, told};

/// A meter's own SDK, read when the test says so.
struct Sdk {
    exporter: InMemoryMetricExporter,
    provider: SdkMeterProvider,
}

impl Sdk {
    fn observing(handle: &HitRateHandle) -> Self {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        handle.observe_with(&provider.meter("test"));
        Self { exporter, provider }
    }

    /// Each series that is collected now, with its unit.
    fn collect(&self) -> HashMap<String, (String, f64)> {
        self.exporter.reset();
        self.provider.force_flush().expect("exports");
        let all = self.exporter.get_finished_metrics().expect("exported");
        let metrics = all.iter().flat_map(ResourceMetrics::scope_metrics);
        let metrics = metrics.flat_map(ScopeMetrics::metrics);
        metrics.flat_map(points).collect()
    }
}

fn points(metric: &Metric) -> Vec<(String, (String, f64))> {
    match metric.data() {
        AggregatedMetrics::U64(data) => points_of(metric, data, |value| value as f64),
        AggregatedMetrics::F64(data) => points_of(metric, data, |value| value),
        AggregatedMetrics::I64(_) => panic!("nothing is below zero"),
    }
}

fn points_of<T: Copy>(
    metric: &Metric,
    data: &MetricData<T>,
    float: impl Fn(T) -> f64,
) -> Vec<(String, (String, f64))> {
    let of = |attributes: Vec<(String, String)>, value| {
        let labels = attributes.iter().map(|(name, value)| (&**name, &**value));
        let name = series(metric.name(), labels);
        (name, (metric.unit().to_owned(), value))
    };
    let pair = |it: &opentelemetry::KeyValue| (it.key.to_string(), it.value.to_string());
    match data {
        MetricData::Sum(sum) => {
            assert!(sum.is_monotonic(), "{}", metric.name());
            let points = sum.data_points();
            let point = points.map(|it| of(it.attributes().map(pair).collect(), float(it.value())));
            point.collect()
        }
        MetricData::Gauge(gauge) => {
            let points = gauge.data_points();
            let point = points.map(|it| of(it.attributes().map(pair).collect(), float(it.value())));
            point.collect()
        }
        _ => panic!("{} is neither a sum nor a gauge", metric.name()),
    }
}

/// What Prometheus is told, under OpenTelemetry's names and without counters that are zero.
fn truth(handle: &HitRateHandle) -> HashMap<String, f64> {
    let scraped = common::scraped(&handle.prometheus()).into_iter();
    let renamed = scraped.map(|(series, value)| {
        let (name, labels) = series.split_once('{').expect("labels");
        let name = name.replacen("tower_keep_", "tower_keep.", 1);
        let name = name.replace("_seconds", "").replace("_total", "");
        let name = ["bucket", "sum", "count"].iter().fold(name, |name, end| {
            name.replace(&format!("duration_{end}"), &format!("duration.{end}"))
        });
        (format!("{name}{{{labels}"), value)
    });
    let is_gauge = |name: &str| {
        ["in_flight", "classes", "uptime"]
            .iter()
            .any(|it| name.contains(it))
    };
    renamed
        .filter(|(name, value)| *value != 0.0 || is_gauge(name))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meter_observes_what_prometheus_is_told() {
    let (store, clock) = place();
    let (layer, handle) = by_segment(store).build().expect("makes sense");
    let sdk = Sdk::observing(&handle);
    let mut service = layer.layer(Scripted(clock));
    for round in 1..=3 {
        for outcome in [Outcome::Miss, Outcome::Hit, Outcome::Hit, Outcome::Error] {
            ask(&mut service, told("/jobs/1", outcome, 3 * MILLI)).await;
        }
        let (seen, truth) = (sdk.collect(), truth(&handle));
        for (series, value) in &truth {
            let (_, seen) = seen
                .get(series)
                .unwrap_or_else(|| panic!("{series} is missing"));
            assert!((value - seen).abs() < 1e-9, "{series}: {seen}, {value}");
        }
        assert_eq!(seen.len(), truth.len());
        let hits = "tower_keep.requests{class=jobs,kind=http,outcome=hit}";
        assert_eq!(seen[hits], ("{request}".to_owned(), f64::from(2 * round)));
        let avoided = "tower_keep.origin_avoided{class=jobs,kind=http}";
        assert_eq!(seen[avoided].0, "s");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instruments_fall_silent_when_the_layer_is_gone() {
    let (store, clock) = place();
    let (layer, handle) = by_segment(store).build().expect("makes sense");
    let sdk = Sdk::observing(&handle);
    let mut service = layer.layer(Scripted(clock));
    ask(&mut service, told("/jobs/1", Outcome::Hit, MILLI)).await;
    drop((layer, handle));
    assert!(!sdk.collect().is_empty(), "a service is left");
    drop(service);
    assert_eq!(sdk.collect(), HashMap::new());
}
