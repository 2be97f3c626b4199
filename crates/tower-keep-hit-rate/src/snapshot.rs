//! All that is known at one moment, for people and programs.

use serde::Serialize;
use tower_keep_store::Level;

use crate::{
    class::Class,
    curve::CurvePoint,
    figures::{Latency, WindowSnapshot, seconds},
    kind::Kind,
    ladder::Rung,
    ledger::{Ledger, Worth},
    monitor::Monitor,
    verdict::Verdict,
    windows::Window,
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
    /// What this process has let go of, since the store was made.
    pub evictions: Vec<EvictionsSnapshot>,
    /// The keys that were asked for most, the hottest first; at most 20. Requests only.
    pub hot_keys: Vec<HotKey>,
    /// What other sizes of the cache would do, the smallest first: some 32 of them, from one entry to a little
    /// more than the keys that were seen. By all requests that a cache might have answered, those of late
    /// counting more. Empty before there were 1024 of them.
    pub curve: Vec<CurvePoint>,
    /// The smallest size that has 95 % of the hits that a cache without bounds would have, and a sixteenth more
    /// where it is an estimate. `None` where there is no curve, or nothing was asked for twice.
    pub enough_entries: Option<u64>,
}

/// What is known of a class.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClassSnapshot {
    /// Its label.
    pub class: String,
    /// What it counts.
    pub kind: Kind,
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
    /// What other lifetimes would do, the shortest first: by all requests that a cache might have answered
    /// since the start. Empty where there was none.
    pub ladder: Vec<Rung>,
}

/// Entries that went from a level without being taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EvictionsSnapshot {
    /// `first`: the caches' first levels; `embedded`: the embedded store.
    pub level: &'static str,
    /// Those that made room while they could still be used: there was too little.
    pub evicted: u64,
    /// Those that were past their time when they were found, or made room.
    pub expired: u64,
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
        // First: then the ladders are of all that was asked.
        let advice = monitor.advice();
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
            evictions: evictions(monitor),
            hot_keys: hot_keys(monitor, now),
            curve: advice.points,
            enough_entries: advice.enough_entries,
        }
    }

    /// The class of requests of this label.
    #[must_use]
    pub fn class(&self, label: &str) -> Option<&ClassSnapshot> {
        self.class_of(Kind::Http, label)
    }

    /// The class of this kind and label.
    #[must_use]
    pub fn class_of(&self, kind: Kind, label: &str) -> Option<&ClassSnapshot> {
        let mut classes = self.classes.iter();
        classes.find(|class| class.kind == kind && class.class == label)
    }
}

impl ClassSnapshot {
    fn of(class: &Class, monitor: &Monitor, now: u64) -> Self {
        let kind = class.kind();
        let window = |window| WindowSnapshot::of(&class.read(window, now)).of_kind(kind);
        let hour = class.read(Window::Hour, now);
        let ledger = Ledger::of(&hour);
        let is_warm = hour.seconds() >= seconds(monitor.rules.warm_up);
        let worth = ledger.worth(&hour.counts, monitor.rules.worth);
        Self {
            class: class.label().to_owned(),
            kind,
            verdict: class.verdict(now, &monitor.rules),
            worth: if is_warm && kind.is_cache() {
                worth
            } else {
                Worth::NoData
            },
            minute: window(Window::Minute),
            five_minutes: window(Window::FiveMinutes),
            hour: WindowSnapshot::of(&hour).of_kind(kind),
            since_start: window(Window::Start),
            hit_latency: Latency::of(&class.latencies.hit),
            collapsed_latency: Latency::of(&class.latencies.collapsed),
            miss_latency: Latency::of(&class.latencies.miss),
            origin_latency: Latency::of(&class.latencies.origin),
            ladder: class.rungs.read(),
        }
    }

    fn rank(&self) -> (std::cmp::Reverse<u64>, &str) {
        let requests = self.since_start.outcomes.sum();
        (std::cmp::Reverse(requests), &self.class)
    }
}

fn evictions(monitor: &Monitor) -> Vec<EvictionsSnapshot> {
    let of = |level: Level| EvictionsSnapshot {
        level: level.as_str(),
        evicted: monitor.evictions.evicted(level),
        expired: monitor.evictions.expired(level),
    };
    Level::ALL.map(of).into()
}

fn hot_keys(monitor: &Monitor, now: u64) -> Vec<HotKey> {
    let hot = monitor.hot_keys(MOST_KEYS, now);
    let told = hot.into_iter().map(|hot| HotKey {
        key: hot.name.unwrap_or_else(|| format!("{:016x}", hot.key)),
        requests: hot.count,
        error: hot.error,
    });
    told.collect()
}

const MOST_KEYS: usize = 20;
