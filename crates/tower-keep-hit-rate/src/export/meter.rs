//! A meter of OpenTelemetry.

use std::sync::{Arc, Weak};

use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrumentBuilder, Meter},
};

use crate::{
    export::{
        catalog::METRICS,
        metric::{BUCKET, COUNT, Metric, MetricKind, SUM, Sample, Unit, Value},
        reading::Reading,
    },
    monitor::Monitor,
};

/// Makes an instrument of each metric. It reads when it is asked, for as long as there is something to read.
pub(crate) fn observe(monitor: &Arc<Monitor>, meter: &Meter) {
    for metric in &METRICS {
        for suffix in suffixes(metric) {
            let series = Series {
                monitor: Arc::downgrade(monitor),
                metric,
                suffix,
            };
            series.register(meter);
        }
    }
}

/// What one instrument observes.
struct Series {
    /// The meter lives longer, and never lets an instrument go.
    monitor: Weak<Monitor>,
    metric: &'static Metric,
    suffix: &'static str,
}

impl Series {
    fn register(self, meter: &Meter) {
        let name = self.name();
        match (self.metric.kind, self.is_time()) {
            (MetricKind::Gauge, false) => {
                self.watch(meter.u64_observable_gauge(name), whole).build();
            }
            (MetricKind::Gauge, true) => {
                self.watch(meter.f64_observable_gauge(name), seconds)
                    .build();
            }
            (_, false) => {
                self.watch(meter.u64_observable_counter(name), whole)
                    .build();
            }
            (_, true) => {
                self.watch(meter.f64_observable_counter(name), seconds)
                    .build();
            }
        }
    }

    fn watch<I, M: 'static>(
        self,
        instrument: AsyncInstrumentBuilder<'_, I, M>,
        convert: fn(Value) -> M,
    ) -> AsyncInstrumentBuilder<'_, I, M> {
        instrument
            .with_unit(self.unit())
            .with_description(self.metric.help)
            .with_callback(move |to| {
                self.read(|sample| to.observe(convert(sample.value), &attributes(sample)));
            })
    }

    fn read(&self, mut tell: impl FnMut(&Sample<'_>)) {
        let Some(monitor) = self.monitor.upgrade() else {
            return;
        };
        let reading = Reading::take(&monitor);
        reading.tell(self.metric, &mut |sample| {
            if sample.suffix == self.suffix && !self.is_left_out(sample.value) {
                tell(&sample);
            }
        });
    }

    /// A counter that never rose says nothing, but takes one of the 2000 places that a stream has.
    fn is_left_out(&self, value: Value) -> bool {
        self.metric.kind != MetricKind::Gauge && whole(value) == 0
    }

    /// Without what the unit and the kind say: exporters for Prometheus put that back.
    fn name(&self) -> String {
        let name = self.metric.name.trim_start_matches("tower_keep_");
        let name = name.trim_end_matches("_total").trim_end_matches("_seconds");
        format!("tower_keep.{name}{}", self.suffix.replace('_', "."))
    }

    fn is_time(&self) -> bool {
        self.metric.unit == Unit::Seconds && matches!(self.suffix, "" | SUM)
    }

    /// In UCUM.
    fn unit(&self) -> String {
        match self.metric.unit {
            Unit::Seconds if !self.is_time() => "{request}".to_owned(),
            Unit::Seconds => "s".to_owned(),
            Unit::Bytes => "By".to_owned(),
            Unit::Count(what) => format!("{{{what}}}"),
        }
    }
}

fn suffixes(metric: &Metric) -> &'static [&'static str] {
    match metric.kind {
        MetricKind::Counter | MetricKind::Gauge => &[""],
        MetricKind::Histogram => &[BUCKET, SUM, COUNT],
    }
}

fn attributes(sample: &Sample<'_>) -> Vec<KeyValue> {
    let pair = |(name, value): &(&'static str, &str)| KeyValue::new(*name, (*value).to_owned());
    sample.labels.iter().map(pair).collect()
}

fn whole(value: Value) -> u64 {
    match value {
        Value::Count(count) | Value::Nanos(count) => count,
    }
}

fn seconds(value: Value) -> f64 {
    whole(value) as f64 / 1e9
}
