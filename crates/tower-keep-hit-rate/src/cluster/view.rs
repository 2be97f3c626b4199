//! What all processes counted together, for people and programs.

use serde::Serialize;

use super::{
    peers::View,
    sum::{Age, Sum},
    told::{Told, ToldClass},
    wire,
};
use crate::{
    figures::{Latency, WindowSnapshot, seconds},
    kind::Kind,
    monitor::Monitor,
    ticker::SECOND,
};

/// What the processes that share a namespace have counted together. The names of its fields, and those of what it
/// holds, stay as they are when it is serialised; there may be more of them.
///
/// This process counts as it is now, the others as they last told. Rates are those of the sums.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Cluster {
    /// This process first, then those that told last.
    pub processes: Vec<ClusterProcess>,
    /// The classes of all, the busiest first; at most 256.
    pub classes: Vec<ClusterClass>,
    /// How long ago the others were read; none if they never were: the store is embedded, was never reached, or
    /// nobody asked before.
    pub view_age_seconds: Option<f64>,
    /// For how long the server has not taken or answered what it was told or asked, if it does not: the others
    /// are as they were.
    pub unreachable_seconds: Option<f64>,
    /// Snapshots that were left out: of another version, broken, too long, or one too many.
    pub ignored: u64,
}

/// A process, or one of its layers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClusterProcess {
    /// A random number, in hexadecimal.
    pub id: String,
    /// It is the one that was asked.
    pub is_this: bool,
    /// Seconds since its layer was made, when it told.
    pub uptime_seconds: f64,
    /// How long ago that was: of a process that lives, at most the interval.
    pub age_seconds: f64,
    /// Requests that had come.
    pub requests: u64,
    /// Those of them whose answer was not over.
    pub in_flight: u64,
}

/// What is known of a class in all processes.
///
/// Of a process that has missed three tellings, or has not told for a quarter of the window, that has what surely
/// lies in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClusterClass {
    /// Its label.
    pub class: String,
    /// What it counts.
    pub kind: Kind,
    /// The last minute.
    pub minute: WindowSnapshot,
    /// The last five minutes.
    pub five_minutes: WindowSnapshot,
    /// The last hour.
    pub hour: WindowSnapshot,
    /// All.
    pub since_start: WindowSnapshot,
    /// How long hits took, stale ones too; since the start, as all of these, and within 7 %.
    pub hit_latency: Option<Latency>,
    /// How long those took that waited for another's fetch.
    pub collapsed_latency: Option<Latency>,
    /// How long misses took.
    pub miss_latency: Option<Latency>,
    /// How long what the origin answered took: misses and requests that passed by.
    pub origin_latency: Option<Latency>,
}

impl Cluster {
    /// None where the layer was told to keep to itself.
    pub(crate) fn read(monitor: &Monitor) -> Option<Self> {
        let every = monitor.rules.cluster_every?;
        let now = monitor.ticker.now();
        let (view, silent_since) = monitor.peers.look(now);
        let own = Told::now(monitor);
        let mut gathering = Gathering::default();
        gathering.add(&own, Sender::this(monitor.peers.id));
        if let Some(view) = &view {
            let patience = every.saturating_mul(MISSED).as_millis();
            let patience = u64::try_from(patience).unwrap_or(u64::MAX);
            gathering.add_view(view, monitor.peers.id, now, patience);
        }
        let passed = |since| seconds(now.saturating_sub(since));
        Some(Self {
            processes: gathering.processes,
            classes: gathering
                .sum
                .finish()
                .into_iter()
                .map(ClusterClass::of)
                .collect(),
            view_age_seconds: view.map(|view| passed(view.read_at)),
            unreachable_seconds: silent_since.map(passed),
            ignored: gathering.ignored,
        })
    }

    /// The class of requests of this label.
    #[must_use]
    pub fn class(&self, label: &str) -> Option<&ClusterClass> {
        self.class_of(Kind::Http, label)
    }

    /// The class of this kind and label.
    #[must_use]
    pub fn class_of(&self, kind: Kind, label: &str) -> Option<&ClusterClass> {
        let mut classes = self.classes.iter();
        classes.find(|class| class.kind == kind && class.class == label)
    }
}

/// What comes together.
#[derive(Default)]
struct Gathering {
    processes: Vec<ClusterProcess>,
    sum: Sum,
    ignored: u64,
}

/// Who told, and how long ago in milliseconds.
#[derive(Clone, Copy)]
struct Sender {
    id: u64,
    is_this: bool,
    ago: u64,
    age: Age,
}

impl Sender {
    fn this(id: u64) -> Self {
        Self {
            id,
            is_this: true,
            ago: 0,
            age: Age::Fresh(0),
        }
    }
}

impl Gathering {
    fn add(&mut self, told: &Told, sender: Sender) {
        self.processes.push(ClusterProcess {
            id: format!("{:016x}", sender.id),
            is_this: sender.is_this,
            uptime_seconds: told.uptime as f64 / 1000.0,
            age_seconds: sender.ago as f64 / 1000.0,
            requests: told.requests,
            in_flight: told.in_flight,
        });
        self.sum.add(told, sender.age);
    }

    /// All but this process, which knows better.
    fn add_view(&mut self, view: &View, this: u64, now: u64, patience: u64) {
        self.ignored = view.ignored;
        let since = now.saturating_sub(view.read_at) / (SECOND / 1000);
        for letter in view.letters.iter().filter(|letter| letter.from != this) {
            let Some(told) = wire::decode(&letter.snapshot) else {
                self.ignored += 1;
                continue;
            };
            let ago = view.now.saturating_sub(letter.at).saturating_add(since);
            let age = match ago <= patience {
                true => Age::Fresh(ago),
                false => Age::Silent(ago),
            };
            let (id, is_this) = (letter.from, false);
            self.add(
                &told,
                Sender {
                    id,
                    is_this,
                    ago,
                    age,
                },
            );
        }
    }
}

impl ClusterClass {
    pub(super) fn of(class: ToldClass) -> Self {
        let [minute, five_minutes, hour, since_start] = class
            .windows
            .map(|window| WindowSnapshot::of(&window.span()).of_kind(class.kind));
        let [hit, collapsed, miss, origin] =
            class.latencies.each_ref().map(super::coarse::Coarse::read);
        Self {
            class: class.label.into(),
            kind: class.kind,
            minute,
            five_minutes,
            hour,
            since_start,
            hit_latency: hit,
            collapsed_latency: collapsed,
            miss_latency: miss,
            origin_latency: origin,
        }
    }
}

/// Tellings after which a process is silent.
const MISSED: u32 = 3;
