//! The figures of a snapshot.

use serde::Serialize;
use tower_keep_store::Outcome;

use crate::{
    counts::{Counts, Figure},
    histogram::Histogram,
    kind::Kind,
    ledger::Ledger,
    ticker::SECOND,
    wilson,
    windows::Span,
};

/// What was counted in a stretch of time. A rate for which there is no data is `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WindowSnapshot {
    /// How long it is: a little more than its name says, or less where the class is younger.
    pub seconds: f64,
    /// Requests by what became of them.
    pub outcomes: Outcomes,
    /// Requests for which the cache was asked.
    pub lookups: u64,
    /// Hits and stale hits in all lookups.
    pub hit_rate: Option<f64>,
    /// Between which rates the true one lies, 95 times in 100.
    pub hit_rate_interval: Option<(f64, f64)>,
    /// Calls of the origin, those of refreshes in the background and of requests that were cancelled included.
    pub origin_calls: u64,
    /// The share of lookups and bypasses that needed no call of the origin. None for sessions, which have none.
    pub offload: Option<f64>,
    /// Misses of which the response may not be stored, or could not be.
    pub misses_not_stored: u64,
    /// Bytes of bodies that came from the cache.
    pub cache_bytes: u64,
    /// Bytes of bodies that came from the origin.
    pub origin_bytes: u64,
    /// Bodies that the client did not read to the end.
    pub bodies_abandoned: u64,
    /// Bodies that failed on the way.
    pub bodies_broken: u64,
    /// What caching saved.
    pub ledger: Ledger,
}

/// Requests by their outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the words of `Outcome`")]
#[non_exhaustive]
pub struct Outcomes {
    pub hit: u64,
    pub stale: u64,
    pub revalidated: u64,
    pub collapsed: u64,
    pub miss: u64,
    pub bypass: u64,
    pub error: u64,
    pub rejected: u64,
    pub cancelled: u64,
}

/// How long requests took to the end of the body, in seconds; within 1.6 % of what one process
/// counted, and 6.3 % in a [`Cluster`](crate::Cluster).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "quantiles, and the words for them")]
#[non_exhaustive]
pub struct Latency {
    pub count: u64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
    /// How many took how long.
    pub buckets: Buckets,
}

/// How many took how long, six buckets to each power of ten: the first counts what took a microsecond or
/// less, each further one what took at most 10^(1/6) times as long, the last whatever took more than 68 s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Buckets([u64; BUCKETS]);

impl Buckets {
    /// Of durations in nanoseconds, each with how many took so long.
    pub(crate) fn of(cells: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut counts = [0; BUCKETS];
        for (nanos, count) in cells {
            counts[bucket(nanos)] += count;
        }
        Self(counts)
    }

    /// The counts, of the shortest first.
    #[must_use]
    pub fn as_slice(&self) -> &[u64] {
        &self.0
    }
}

impl Serialize for Buckets {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0)
    }
}

impl WindowSnapshot {
    pub(crate) fn of(span: &Span) -> Self {
        let counts = &span.counts;
        let lookups = counts.lookups();
        Self {
            seconds: span.seconds(),
            outcomes: Outcomes::of(counts),
            lookups,
            hit_rate: counts.hit_rate(),
            hit_rate_interval: wilson::interval(counts.hits(), lookups),
            origin_calls: counts.origin_calls(),
            offload: counts.offload(),
            misses_not_stored: counts.get(Figure::Unstored),
            cache_bytes: counts.get(Figure::CacheBytes),
            origin_bytes: counts.get(Figure::OriginBytes),
            bodies_abandoned: counts.get(Figure::Abandoned),
            bodies_broken: counts.get(Figure::Broken),
            ledger: Ledger::of(span),
        }
    }
}

impl WindowSnapshot {
    /// Without what makes no sense for a kind.
    pub(crate) fn of_kind(mut self, kind: Kind) -> Self {
        if !kind.is_cache() {
            self.offload = None;
            self.ledger = Ledger::default();
        }
        self
    }
}

impl Outcomes {
    fn of(counts: &Counts) -> Self {
        Self {
            hit: counts.of(Outcome::Hit),
            stale: counts.of(Outcome::Stale),
            revalidated: counts.of(Outcome::Revalidated),
            collapsed: counts.of(Outcome::Collapsed),
            miss: counts.of(Outcome::Miss),
            bypass: counts.of(Outcome::Bypass),
            error: counts.of(Outcome::Error),
            rejected: counts.of(Outcome::Rejected),
            cancelled: counts.of(Outcome::Cancelled),
        }
    }

    /// All requests that were counted.
    #[must_use]
    pub fn sum(&self) -> u64 {
        let answered = self.hit + self.stale + self.revalidated + self.collapsed + self.miss;
        answered + self.bypass + self.error + self.rejected + self.cancelled
    }
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram) -> Option<Self> {
        let quantiles = histogram.quantiles([0.5, 0.9, 0.99, 0.999, 1.0])?;
        let [p50, p90, p99, p999, max] = quantiles.map(seconds);
        Some(Self {
            count: histogram.count(),
            p50,
            p90,
            p99,
            p999,
            max,
            buckets: Buckets::of(histogram.cells()),
        })
    }
}

/// Nanoseconds as seconds.
pub(crate) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / SECOND as f64
}

fn bucket(nanos: u64) -> usize {
    let micros = nanos as f64 / 1e3;
    // Below a microsecond it is less than zero, and becomes zero.
    let bucket = (micros.log10() * 6.0).ceil() as usize;
    bucket.min(BUCKETS - 1)
}

const BUCKETS: usize = 49;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_each_once_and_in_order() {
        let histogram = Histogram::new();
        let nanos = [
            500,
            1_000,
            1_200,
            9_000,
            11_000,
            1_100_000,
            60 * SECOND,
            600 * SECOND,
        ];
        nanos.iter().for_each(|nanos| histogram.add(*nanos));
        let counts = Buckets::of(histogram.cells());
        assert_eq!(counts.as_slice().iter().sum::<u64>(), 8);
        // Values are read within 1.6 %: what lies on a bound may be on either side of it.
        assert_eq!(counts.as_slice()[0] + counts.as_slice()[1], 3);
        assert_eq!((counts.as_slice()[6], counts.as_slice()[7]), (1, 1));
        assert_eq!(counts.as_slice()[BUCKETS - 1], 1);
    }
}
