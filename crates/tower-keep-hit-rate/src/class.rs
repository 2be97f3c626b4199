//! What is known of the requests of one class.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tower_keep_store::{Outcome, Told};

use crate::{
    counts::{Counters, Figure, is_lookup},
    histogram::Histogram,
    kind::Kind,
    ladder::Rungs,
    rules::Rules,
    ticker::SECOND,
    verdict::{Standing, Verdict},
    windows::{Span, Window, Windows},
};

/// Counts, windows, latencies and the verdict of a class: 55 KiB, and 256 bytes for each thread that has a seat.
#[derive(Debug)]
pub(crate) struct Class {
    kind: Kind,
    label: Box<str>,
    counters: Counters,
    windows: Windows,
    pub(crate) latencies: Latencies,
    pub(crate) rungs: Rungs,
    standing: Standing,
    /// Lookups and the time at the last log line.
    logged_lookups: AtomicU64,
    logged_at: AtomicU64,
}

/// How long requests took, to the end of the body, by who answered them.
#[derive(Debug)]
pub(crate) struct Latencies {
    pub(crate) hit: Histogram,
    pub(crate) collapsed: Histogram,
    pub(crate) miss: Histogram,
    /// Whatever the origin answered or confirmed: misses too.
    pub(crate) origin: Histogram,
}

impl Class {
    pub(crate) fn new(kind: Kind, label: &str, now: u64, rules: &Rules) -> Self {
        Self {
            kind,
            label: label.into(),
            counters: Counters::default(),
            windows: Windows::new(now, now.saturating_add(rules.warm_up)),
            latencies: Latencies {
                hit: Histogram::new(),
                collapsed: Histogram::new(),
                miss: Histogram::new(),
                origin: Histogram::new(),
            },
            rungs: Rungs::default(),
            standing: Standing::default(),
            logged_lookups: AtomicU64::new(0),
            logged_at: AtomicU64::new(now),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn read(&self, window: Window, now: u64) -> Span {
        self.windows.read(window, now, &self.counters)
    }

    /// The verdict as it stands now. What is no cache is not judged.
    pub(crate) fn verdict(&self, now: u64, rules: &Rules) -> Verdict {
        if !self.kind.is_cache() {
            return Verdict::NoData;
        }
        if let Some(span) = self.judged(now, rules.thresholds.lookups) {
            let verdict = rules.thresholds.judge(self.standing.get(), &span.counts);
            self.standing.set(verdict);
        }
        self.standing.get()
    }

    /// Counts a request. True if it is time for a line in the log.
    #[inline]
    pub(crate) fn count(&self, told: Told, now: u64, rules: &Rules) -> bool {
        let outcome = told.outcome;
        if self.windows.turn(now, &self.counters) {
            self.verdict(now, rules);
        }
        let counters = self.counters.adding();
        counters.count(outcome);
        if told.origin_calls > 0 {
            let calls = u64::from(told.origin_calls);
            counters.add(Figure::OriginCalls, calls);
        }
        is_lookup(outcome) && self.is_line_due(now)
    }

    /// Notes how long a request took of which the body went out as a whole, and to its head.
    #[inline]
    pub(crate) fn time(&self, told: Told, to_head: u64, took: u64) {
        let [to_head, took] = [to_head, took].map(|time| time.min(LONGEST));
        match told.outcome {
            Outcome::Hit | Outcome::Stale => self.time_hit(told, to_head, took),
            Outcome::Collapsed => {
                self.latencies.collapsed.add(took);
                self.add_time(Figure::CollapsedTimed, Figure::CollapsedTime, took);
            }
            Outcome::Miss => {
                if let Some(time) = told.origin_time {
                    self.add_time(Figure::Fetched, Figure::FetchTime, nanos(time));
                }
                self.latencies.miss.add(took);
                self.add_time(Figure::MissesTimed, Figure::MissTime, took);
                if told.origin_calls > 0 {
                    self.time_origin(took);
                }
            }
            // A confirmation is not what a fetch takes.
            Outcome::Bypass | Outcome::Revalidated => self.time_origin(took),
            _ => {}
        }
    }

    /// Notes the bytes of a body, whole or not, and whether it could be stored.
    #[inline]
    pub(crate) fn weigh(&self, told: Told, bytes: u64) {
        if told.outcome == Outcome::Miss && told.is_unstored {
            self.counters.add(Figure::Unstored, 1);
        }
        let figure = match told.outcome {
            // A confirmation has no body.
            Outcome::Hit | Outcome::Stale | Outcome::Revalidated | Outcome::Collapsed => {
                Figure::CacheBytes
            }
            Outcome::Miss | Outcome::Bypass => Figure::OriginBytes,
            _ => return,
        };
        self.counters.add(figure, bytes);
    }

    #[inline]
    fn time_hit(&self, told: Told, to_head: u64, took: u64) {
        self.latencies.hit.add(took);
        let counters = self.counters.adding();
        counters.add(Figure::LookTime, to_head);
        counters.add(Figure::HitTime, took);
        counters.add(Figure::HitsTimed, 1);
        if !self.kind.is_cache() {
            return;
        }
        match told.origin_time.map(nanos).or_else(|| self.mean_fetch()) {
            Some(cost) => counters.add(Figure::Avoided, cost),
            None => self.estimate(),
        }
    }

    fn time_origin(&self, took: u64) {
        self.latencies.origin.add(took);
        self.add_time(Figure::OriginTimed, Figure::OriginTime, took);
    }

    fn add_time(&self, timed: Figure, time: Figure, took: u64) {
        let counters = self.counters.adding();
        counters.add(time, took);
        counters.add(timed, 1);
    }

    /// What a hit saved of which nobody told.
    fn estimate(&self) {
        let timed = self.counters.get(Figure::MissesTimed);
        match self.counters.get(Figure::MissTime).checked_div(timed) {
            Some(mean) => {
                self.counters.add(Figure::Avoided, mean);
                self.counters.add(Figure::Estimated, 1);
            }
            None => self.counters.add(Figure::Unpriced, 1),
        }
    }

    fn mean_fetch(&self) -> Option<u64> {
        let fetched = self.counters.get(Figure::Fetched);
        self.counters.get(Figure::FetchTime).checked_div(fetched)
    }

    /// The shortest window that has enough lookups.
    fn judged(&self, now: u64, lookups: u64) -> Option<Span> {
        [Window::FiveMinutes, Window::Hour, Window::Start]
            .into_iter()
            .filter_map(|window| self.windows.read_warm(window, now, &self.counters))
            .find(|span| span.counts.lookups() >= lookups)
    }

    /// Every 1000 lookups, at least 10 s apart.
    #[inline]
    fn is_line_due(&self, now: u64) -> bool {
        let at = self.logged_at.load(Ordering::Relaxed);
        if now.saturating_sub(at) < LINE_PAUSE {
            return false;
        }
        let logged = self.logged_lookups.load(Ordering::Relaxed);
        let lookups = self.counters.lookups();
        if lookups.saturating_sub(logged) < LINE_LOOKUPS {
            return false;
        }
        // One of those who see it writes it.
        let order = Ordering::Relaxed;
        let is_ours = self
            .logged_at
            .compare_exchange(at, now, order, order)
            .is_ok();
        if is_ours {
            self.logged_lookups.store(lookups, order);
        }
        is_ours
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).map_or(LONGEST, |nanos| nanos.min(LONGEST))
}

/// 39 hours, as in the cell: no sum of such times runs over, and counters never go down.
const LONGEST: u64 = u64::MAX >> 17;

const LINE_LOOKUPS: u64 = 1000;
const LINE_PAUSE: u64 = 10 * SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_every_thousand_lookups_and_ten_seconds() {
        let rules = Rules::default();
        let class = Class::new(Kind::Http, "a", 0, &rules);
        let lines = |requests: u64, now: u64| {
            let due =
                (0..requests).filter(|_| class.count(Outcome::Hit.into(), now * SECOND, &rules));
            due.count()
        };
        assert_eq!(lines(5000, 9), 0);
        assert_eq!(lines(999, 10), 1);
        assert_eq!(lines(5000, 19), 0);
        assert_eq!(lines(1000, 20), 1);
        assert_eq!(lines(1, 60), 1);
        assert_eq!(lines(999, 80), 0);
        assert_eq!(lines(1, 81), 1);
        assert!(!class.count(Outcome::Bypass.into(), 1000 * SECOND, &rules));
    }

    #[test]
    fn a_hit_is_worth_what_its_own_entry_took_or_else_a_mean_fetch_or_miss() {
        let class = Class::new(Kind::Http, "a", 0, &Rules::default());
        let figures = || {
            let figures = [Figure::Avoided, Figure::Estimated, Figure::Unpriced];
            figures.map(|figure| class.counters.get(figure))
        };
        let of = |outcome, nanos| Told::from(outcome).origin_time(Duration::from_nanos(nanos));
        class.time(Outcome::Hit.into(), 1, 1);
        assert_eq!(figures(), [0, 0, 1]);
        class.time(Outcome::Miss.into(), 500, 500);
        class.time(Outcome::Hit.into(), 1, 1);
        assert_eq!(figures(), [500, 1, 1]);
        class.time(of(Outcome::Hit, 40), 1, 1);
        assert_eq!(figures(), [540, 1, 1]);
        class.time(of(Outcome::Miss, 100), 150, 200);
        class.time(Outcome::Stale.into(), 1, 1);
        assert_eq!(figures(), [640, 1, 1]);
    }

    #[test]
    fn what_the_origin_confirmed_came_from_the_cache() {
        let class = Class::new(Kind::Http, "a", 0, &Rules::default());
        for outcome in [Outcome::Hit, Outcome::Revalidated, Outcome::Miss] {
            class.weigh(outcome.into(), 100);
        }
        let bytes = [Figure::CacheBytes, Figure::OriginBytes];
        assert_eq!(bytes.map(|figure| class.counters.get(figure)), [200, 100]);
    }

    /// A counter that wraps has gone down.
    #[test]
    fn no_time_is_so_long_that_a_counter_goes_down() {
        let class = Class::new(Kind::Objects, "a", 0, &Rules::default());
        let mut before = 0;
        for _ in 0..3 {
            let told = Told::from(Outcome::Hit).origin_time(Duration::MAX);
            class.time(told, u64::MAX, u64::MAX);
            let figures = [Figure::Avoided, Figure::LookTime, Figure::HitTime];
            let least = figures.map(|figure| class.counters.get(figure));
            let least = least.into_iter().min().expect("three");
            assert!(least > before, "{least} after {before}");
            before = least;
        }
    }
}
