//! The `metrics` facade.

use metrics::{Label, SharedString, Unit, counter, describe_counter, describe_gauge, gauge};

use crate::{
    export::{
        catalog::METRICS,
        metric::{self, BUCKET, COUNT, Metric, MetricKind, SUM, Sample, Value},
        reading::Reading,
    },
    monitor::Monitor,
};

/// Sets everything that is counted.
pub(crate) fn record(monitor: &Monitor) {
    let reading = Reading::take(monitor);
    for metric in &METRICS {
        describe(metric);
        reading.tell(metric, &mut |sample| set(metric, &sample));
    }
}

/// A counter of the facade is whole: seconds, of which most are parts, are a gauge that only rises.
fn set(metric: &Metric, sample: &Sample<'_>) {
    let (name, labels) = (name(metric, sample.suffix), labels(sample));
    match sample.value {
        Value::Count(count) if metric.kind != MetricKind::Gauge => {
            counter!(name, labels).absolute(count);
        }
        Value::Count(count) => gauge!(name, labels).set(count as f64),
        Value::Nanos(nanos) => gauge!(name, labels).set(nanos as f64 / 1e9),
    }
}

fn describe(metric: &Metric) {
    let (help, unit) = (metric.help, unit(metric));
    match metric.kind {
        MetricKind::Counter if unit != Unit::Seconds => describe_counter!(metric.name, unit, help),
        MetricKind::Counter | MetricKind::Gauge => describe_gauge!(metric.name, unit, help),
        MetricKind::Histogram => {
            for suffix in [BUCKET, COUNT] {
                describe_counter!(name(metric, suffix), Unit::Count, help);
            }
            describe_gauge!(name(metric, SUM), unit, help);
        }
    }
}

fn name(metric: &Metric, suffix: &str) -> SharedString {
    if suffix.is_empty() {
        metric.name.into()
    } else {
        format!("{}{suffix}", metric.name).into()
    }
}

fn labels(sample: &Sample<'_>) -> Vec<Label> {
    let label = |(name, value): &(&'static str, &str)| Label::new(*name, (*value).to_owned());
    sample.labels.iter().map(label).collect()
}

fn unit(metric: &Metric) -> Unit {
    match metric.unit {
        metric::Unit::Count(_) => Unit::Count,
        metric::Unit::Bytes => Unit::Bytes,
        metric::Unit::Seconds => Unit::Seconds,
    }
}
