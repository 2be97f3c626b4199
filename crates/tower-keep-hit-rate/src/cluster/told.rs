//! What a process tells of itself.

use super::coarse::Coarse;
use crate::{
    class::Class,
    counts::Counts,
    kind::Kind,
    monitor::Monitor,
    ticker::SECOND,
    windows::{Span, Window},
};

/// All that a process has counted, at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Told {
    /// Milliseconds since its start.
    pub(super) uptime: u64,
    pub(super) requests: u64,
    pub(super) in_flight: u64,
    /// The busiest first.
    pub(super) classes: Vec<ToldClass>,
}

/// A class as a process knows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ToldClass {
    /// What it is a class of.
    pub(super) kind: Kind,
    pub(super) label: Box<str>,
    /// As in [`WINDOWS`].
    pub(super) windows: [ToldWindow; 4],
    /// Of hits, of those who waited, of misses, of the origin.
    pub(super) latencies: [Coarse; 4],
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ToldWindow {
    /// How long it is, in milliseconds.
    pub(super) length: u64,
    pub(super) counts: Counts,
}

impl Told {
    /// This process, now.
    pub(super) fn now(monitor: &Monitor) -> Self {
        let now = monitor.ticker.now();
        let (requests, in_flight) = monitor.requests();
        let is_told = |class: &&Class| monitor.peers.tells(class.kind());
        let of = |class| ToldClass::of(class, now);
        let mut classes: Vec<_> = monitor.classes.all().filter(is_told).map(of).collect();
        classes.sort_by_key(|class| std::cmp::Reverse(class.windows[3].counts.requests()));
        Self {
            uptime: millis(now),
            requests,
            in_flight,
            classes,
        }
    }
}

impl ToldClass {
    fn of(class: &Class, now: u64) -> Self {
        let latencies = &class.latencies;
        let histograms = [
            &latencies.hit,
            &latencies.collapsed,
            &latencies.miss,
            &latencies.origin,
        ];
        Self {
            kind: class.kind(),
            label: class.label().into(),
            windows: WINDOWS.map(|window| ToldWindow::of(&class.read(window, now))),
            latencies: histograms.map(Coarse::of),
        }
    }

    /// Nothing counted yet.
    pub(super) fn empty(kind: Kind, label: Box<str>) -> Self {
        Self {
            kind,
            label,
            windows: Default::default(),
            latencies: Default::default(),
        }
    }

    /// Adds what another class counted in the same time.
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, window) in self.windows.iter_mut().zip(&other.windows) {
            sum.add(window);
        }
        self.add_latencies(other);
    }

    pub(super) fn add_latencies(&mut self, other: &Self) {
        for (sum, latencies) in self.latencies.iter_mut().zip(&other.latencies) {
            sum.add(latencies);
        }
    }
}

impl ToldWindow {
    fn of(span: &Span) -> Self {
        Self {
            length: millis(span.until.saturating_sub(span.from)),
            counts: span.counts,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.length = self.length.max(other.length);
        self.counts.add(&other.counts);
    }

    pub(super) fn span(&self) -> Span {
        Span {
            counts: self.counts,
            from: 0,
            until: self.length.saturating_mul(SECOND / 1000),
        }
    }
}

fn millis(nanos: u64) -> u64 {
    nanos / (SECOND / 1000)
}

/// The windows that are told, the shortest first.
pub(super) const WINDOWS: [Window; 4] = [
    Window::Minute,
    Window::FiveMinutes,
    Window::Hour,
    Window::Start,
];
