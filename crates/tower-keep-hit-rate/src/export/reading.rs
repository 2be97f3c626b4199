//! What the metrics are at one moment.

use tower_keep_store::Level;

use crate::{
    class::Class,
    counts::{Counts, Figure, OUTCOMES},
    export::metric::{BUCKET, COUNT, Metric, SUM, Sample, Source, Unit, Value},
    histogram::Histogram,
    monitor::Monitor,
};

/// The counts of each class are read once, so that they agree with each other.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) monitor: &'a Monitor,
    pub(crate) classes: Vec<(&'a Class, Counts)>,
}

type Tell<'a> = dyn FnMut(Sample<'_>) + 'a;

impl<'a> Reading<'a> {
    pub(crate) fn take(monitor: &'a Monitor) -> Self {
        let classes = monitor.classes.all();
        Self {
            monitor,
            classes: classes
                .map(|class| (class, class.counters().load()))
                .collect(),
        }
    }

    /// Tells each sample of a metric.
    pub(crate) fn tell(&self, metric: &Metric, tell: &mut Tell<'_>) {
        match &metric.source {
            Source::Evictions => self.evictions(tell),
            Source::Whole(read) => tell(Sample {
                suffix: "",
                labels: &[],
                value: read(self),
            }),
            _ => {
                for (class, counts) in &self.classes {
                    tell_class(metric, class, counts, tell);
                }
            }
        }
    }

    fn evictions(&self, tell: &mut Tell<'_>) {
        let evictions = &self.monitor.evictions;
        for level in Level::ALL {
            for (reason, count) in [
                ("evicted", evictions.evicted(level)),
                ("expired", evictions.expired(level)),
            ] {
                tell(Sample {
                    suffix: "",
                    labels: &[("level", level.as_str()), ("reason", reason)],
                    value: Value::Count(count),
                });
            }
        }
    }
}

fn tell_class(metric: &Metric, class: &Class, counts: &Counts, tell: &mut Tell<'_>) {
    let [label, kind] = labels(class);
    let mut tell_one = |more: &[(&'static str, &str)], value| {
        let mut labels = [label; 3];
        labels[1] = kind;
        labels[2..2 + more.len()].copy_from_slice(more);
        tell(Sample {
            suffix: "",
            labels: &labels[..2 + more.len()],
            value,
        });
    };
    match &metric.source {
        Source::Outcomes => {
            for outcome in OUTCOMES {
                let count = Value::Count(counts.of(outcome));
                tell_one(&[("outcome", outcome.as_str())], count);
            }
        }
        Source::Figures(name, figures) => {
            for (value, figure) in *figures {
                let count = value_of(metric, counts.get(*figure));
                tell_one(&[(name, value)], count);
            }
        }
        Source::Figure(figure) => tell_one(&[], value_of(metric, counts.get(*figure))),
        Source::Latencies => tell_latencies(class, counts, tell),
        Source::Evictions | Source::Whole(_) => {}
    }
}

fn tell_latencies(class: &Class, counts: &Counts, tell: &mut Tell<'_>) {
    let of = &class.latencies;
    for (answer, histogram, sum) in [
        ("hit", &of.hit, Figure::HitTime),
        ("collapsed", &of.collapsed, Figure::CollapsedTime),
        ("miss", &of.miss, Figure::MissTime),
        ("origin", &of.origin, Figure::OriginTime),
    ] {
        let [label, kind] = labels(class);
        let labels = [label, kind, ("answer", answer)];
        tell_distribution(labels, histogram, counts.get(sum), tell);
    }
}

fn tell_distribution(
    [label, kind, answer]: [(&'static str, &str); 3],
    histogram: &Histogram,
    nanos: u64,
    tell: &mut Tell<'_>,
) {
    // The count is read last: it is never less than a bucket.
    let buckets = histogram.at_most(BUCKETS.map(|(micros, _)| micros * 1000));
    let count = histogram.count();
    let bounds = BUCKETS.map(|(_, bound)| bound);
    let cumulative = bounds.into_iter().zip(buckets).chain([("+Inf", count)]);
    for (bound, count) in cumulative {
        tell(Sample {
            suffix: BUCKET,
            labels: &[label, kind, answer, ("le", bound)],
            value: Value::Count(count),
        });
    }
    for (suffix, value) in [(SUM, Value::Nanos(nanos)), (COUNT, Value::Count(count))] {
        tell(Sample {
            suffix,
            labels: &[label, kind, answer],
            value,
        });
    }
}

/// What tells a class from all others.
fn labels(class: &Class) -> [(&'static str, &str); 2] {
    [("class", class.label()), ("kind", class.kind().as_str())]
}

fn value_of(metric: &Metric, figure: u64) -> Value {
    match metric.unit {
        Unit::Seconds => Value::Nanos(figure),
        Unit::Count(_) | Unit::Bytes => Value::Count(figure),
    }
}

/// Upper bounds, in microseconds and as they are told.
const BUCKETS: [(u64, &str); 18] = [
    (50, "0.00005"),
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
    (60_000_000, "60"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_told_as_what_they_are() {
        for (micros, told) in BUCKETS {
            let seconds: f64 = told.parse().expect("a number");
            assert_eq!((seconds * 1e6).round(), micros as f64, "{told}");
        }
    }
}
