//! All that is known at one moment, for people and programs.

use serde::Serialize;
use tower_keep_store::Outcome;

use crate::{
    class::Class,
    counts::{Counts, Figure},
    histogram::Histogram,
    ledger::{Ledger, Worth},
    monitor::Monitor,
    ticker::SECOND,
    verdict::Verdict,
    wilson,
    windows::{Span, Window},
};

/// What a layer has counted. The names of its fields, and those of what it holds, stay as they are when it is
/// serialised; there may be more of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The version of this form: 1.
    pub version: u32,
    /// Seconds since the layer was made.
    pub uptime_seconds: f64,
    /// Requests that have come.
    pub requests: u64,
    /// Those of them whose answer is not over.
    pub in_flight: u64,
    /// The classes that were seen, the busiest first.
    pub classes: Vec<ClassSnapshot>,
    /// The keys that were asked for most, the hottest first; at most 20.
    pub hot_keys: Vec<HotKey>,
}

/// What is known of a class.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClassSnapshot {
    /// Its label.
    pub class: String,
    /// Whether it caches well.
    pub verdict: Verdict,
    /// Whether it should be cached at all, by the last hour.
    pub worth: Worth,
    /// The last minute.
    pub minute: WindowSnapshot,
    /// The last five minutes.
    pub five_minutes: WindowSnapshot,
    /// The last hour.
    pub hour: WindowSnapshot,
    /// All.
    pub since_start: WindowSnapshot,
    /// How long hits took, stale ones too; since the start, as all of these.
    pub hit_latency: Option<Latency>,
    /// How long those took that waited for another's fetch.
    pub collapsed_latency: Option<Latency>,
    /// How long misses took.
    pub miss_latency: Option<Latency>,
    /// How long what the origin answered took: misses and requests that passed by.
    pub origin_latency: Option<Latency>,
}

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
    /// Calls of the origin that requests waited for.
    pub origin_calls: u64,
    /// The share of lookups and bypasses that needed no call of the origin.
    pub offload: Option<f64>,
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

/// How long requests took to the end of the body, in seconds; within 3 %.
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
}

/// A key that is asked for often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HotKey {
    /// Its path and query if [allowed](crate::HitRateLayerBuilder::allow_key_names), else its hash.
    pub key: String,
    /// How often it was asked for of late: each count is halved every five minutes.
    pub requests: u64,
    /// By how much that may be too high.
    pub error: u64,
}

impl Snapshot {
    pub(crate) fn take(monitor: &Monitor) -> Self {
        let now = monitor.ticker.now();
        let of = |class| ClassSnapshot::of(class, monitor, now);
        let mut classes: Vec<_> = monitor.classes.all().map(of).collect();
        classes.sort_by(|one, other| one.rank().cmp(&other.rank()));
        let (requests, in_flight) = monitor.requests();
        Self {
            version: 1,
            uptime_seconds: seconds(now),
            requests,
            in_flight,
            classes,
            hot_keys: hot_keys(monitor, now),
        }
    }

    /// The class of this label.
    #[must_use]
    pub fn class(&self, label: &str) -> Option<&ClassSnapshot> {
        self.classes.iter().find(|class| class.class == label)
    }
}

impl ClassSnapshot {
    fn of(class: &Class, monitor: &Monitor, now: u64) -> Self {
        let window = |window| WindowSnapshot::of(&class.read(window, now));
        let hour = class.read(Window::Hour, now);
        let ledger = Ledger::of(&hour);
        let is_warm = hour.seconds() >= seconds(monitor.rules.warm_up);
        let worth = ledger.worth(&hour.counts, monitor.rules.worth);
        Self {
            class: class.label().to_owned(),
            verdict: class.verdict(now, &monitor.rules),
            worth: if is_warm { worth } else { Worth::NoData },
            minute: window(Window::Minute),
            five_minutes: window(Window::FiveMinutes),
            hour: WindowSnapshot::of(&hour),
            since_start: window(Window::Start),
            hit_latency: Latency::of(&class.latencies.hit),
            collapsed_latency: Latency::of(&class.latencies.collapsed),
            miss_latency: Latency::of(&class.latencies.miss),
            origin_latency: Latency::of(&class.latencies.origin),
        }
    }

    fn rank(&self) -> (std::cmp::Reverse<u64>, &str) {
        let requests = self.since_start.outcomes.sum();
        (std::cmp::Reverse(requests), &self.class)
    }
}

impl WindowSnapshot {
    fn of(span: &Span) -> Self {
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
            cache_bytes: counts.get(Figure::CacheBytes),
            origin_bytes: counts.get(Figure::OriginBytes),
            bodies_abandoned: counts.get(Figure::Abandoned),
            bodies_broken: counts.get(Figure::Broken),
            ledger: Ledger::of(span),
        }
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
    fn of(histogram: &Histogram) -> Option<Self> {
        let quantiles = histogram.quantiles([0.5, 0.9, 0.99, 0.999, 1.0])?;
        let [p50, p90, p99, p999, max] = quantiles.map(seconds);
        Some(Self {
            count: histogram.count(),
            p50,
            p90,
            p99,
            p999,
            max,
        })
    }
}

fn hot_keys(monitor: &Monitor, now: u64) -> Vec<HotKey> {
    let hot = monitor.hot_keys.top(MOST_KEYS, now);
    let told = hot.into_iter().map(|hot| HotKey {
        key: hot.name.unwrap_or_else(|| format!("{:016x}", hot.key)),
        requests: hot.count,
        error: hot.error,
    });
    told.collect()
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / SECOND as f64
}

const MOST_KEYS: usize = 20;
