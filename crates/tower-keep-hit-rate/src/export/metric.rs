//! What a metric is.

use crate::{counts::Figure, export::reading::Reading};

/// A line of the [catalog](super::catalog).
#[derive(Debug)]
pub(crate) struct Metric {
    /// As Prometheus calls it; others derive theirs from it.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) unit: Unit,
    pub(crate) kind: MetricKind,
    pub(crate) source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricKind {
    Counter,
    Gauge,
    /// Counters too, one for each bucket, beside a sum and a count.
    Histogram,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Of what.
    Count(&'static str),
    Bytes,
    Seconds,
}

/// Where the samples of a metric come from, and the labels that tell them apart. All but the last two have the
/// labels of a class.
#[derive(Debug)]
pub(crate) enum Source {
    /// One sample for each `outcome`.
    Outcomes,
    /// One for each value of this label.
    Figures(&'static str, &'static [(&'static str, Figure)]),
    Figure(Figure),
    /// A distribution for each `answer`: who answered.
    Latencies,
    /// One for each `level` and `reason`.
    Evictions,
    /// One sample without labels.
    Whole(fn(&Reading<'_>) -> Value),
}

/// One number of a metric.
#[derive(Debug)]
pub(crate) struct Sample<'a> {
    /// Empty but for distributions: `_bucket`, `_sum` or `_count`.
    pub(crate) suffix: &'static str,
    pub(crate) labels: &'a [(&'static str, &'a str)],
    pub(crate) value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Count(u64),
    /// Told as seconds.
    Nanos(u64),
}

pub(crate) const BUCKET: &str = "_bucket";
pub(crate) const SUM: &str = "_sum";
pub(crate) const COUNT: &str = "_count";
