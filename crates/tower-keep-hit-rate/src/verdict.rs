//! Whether a class caches well.

use std::{
    fmt,
    sync::atomic::{AtomicU8, Ordering},
};

use serde::Serialize;
use tower_keep_store::Outcome;

use crate::{counts::Counts, wilson};

/// What is to be thought of a class's hit rate.
///
/// A verdict is given when the whole interval in which the true rate lies (Wilson, 95 %) is on one side of a
/// threshold, and taken back when it is wholly on the other: chance does not make it flicker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[repr(u8)]
pub enum Verdict {
    /// Too few lookups, or too early.
    #[default]
    NoData,
    /// Lower than it should be: below 80 %.
    Tune,
    /// Between the thresholds, or too close to one to say.
    Good,
    /// Above 90 %.
    Excellent,
}

impl Verdict {
    /// The word for it in logs and snapshots.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoData => "no_data",
            Self::Tune => "tune",
            Self::Good => "good",
            Self::Excellent => "excellent",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// By what classes are judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thresholds {
    pub(crate) tune: f64,
    pub(crate) excellent: f64,
    pub(crate) lookups: u64,
}

impl Thresholds {
    /// The verdict after another one.
    pub(crate) fn judge(&self, before: Verdict, counts: &Counts) -> Verdict {
        let lookups = counts.lookups();
        // Of errors nobody knows whether a cache was asked; where there is nothing else, none is to be judged.
        if lookups < self.lookups || lookups == counts.of(Outcome::Error) {
            return before;
        }
        let Some((low, high)) = wilson::interval(counts.hits(), lookups) else {
            return before;
        };
        let stays = match before {
            Verdict::Tune => low < self.tune,
            Verdict::Excellent => high > self.excellent,
            Verdict::NoData | Verdict::Good => false,
        };
        if stays {
            before
        } else if high < self.tune {
            Verdict::Tune
        } else if low > self.excellent {
            Verdict::Excellent
        } else {
            Verdict::Good
        }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            tune: 0.8,
            excellent: 0.9,
            lookups: 200,
        }
    }
}

/// The verdict that stands.
#[derive(Debug, Default)]
pub(crate) struct Standing(AtomicU8);

impl Standing {
    pub(crate) fn get(&self) -> Verdict {
        let verdicts = [Verdict::Tune, Verdict::Good, Verdict::Excellent];
        let number = self.0.load(Ordering::Relaxed);
        let stands = verdicts.into_iter().find(|it| *it as u8 == number);
        stands.unwrap_or_default()
    }

    pub(crate) fn set(&self, verdict: Verdict) {
        self.0.store(verdict as u8, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::Counters;

    fn judged(before: Verdict, hits: u64, lookups: u64) -> Verdict {
        let counters = Counters::default();
        (0..hits).for_each(|_| counters.count(Outcome::Hit));
        (hits..lookups).for_each(|_| counters.count(Outcome::Miss));
        Thresholds::default().judge(before, &counters.load())
    }

    #[test]
    fn few_lookups_leave_the_verdict_as_it_is() {
        assert_eq!(judged(Verdict::NoData, 199, 199), Verdict::NoData);
        assert_eq!(judged(Verdict::Tune, 199, 199), Verdict::Tune);
        assert_eq!(judged(Verdict::NoData, 200, 200), Verdict::Excellent);
    }

    #[test]
    fn a_verdict_stands_until_the_interval_has_crossed_the_threshold() {
        assert_eq!(judged(Verdict::NoData, 700, 1000), Verdict::Tune);
        assert_eq!(judged(Verdict::NoData, 800, 1000), Verdict::Good);
        assert_eq!(judged(Verdict::Tune, 810, 1000), Verdict::Tune);
        assert_eq!(judged(Verdict::Tune, 860, 1000), Verdict::Good);
        assert_eq!(judged(Verdict::Tune, 990, 1000), Verdict::Excellent);
        assert_eq!(judged(Verdict::Excellent, 890, 1000), Verdict::Excellent);
        assert_eq!(judged(Verdict::Excellent, 860, 1000), Verdict::Good);
        assert_eq!(judged(Verdict::Good, 905, 1000), Verdict::Good);
    }

    /// Of an error nobody knows whether a cache was asked: there may be none.
    #[test]
    fn nothing_but_errors_is_not_judged() {
        let counters = Counters::default();
        (0..1000).for_each(|_| counters.count(Outcome::Error));
        let judged = |before| Thresholds::default().judge(before, &counters.load());
        assert_eq!(judged(Verdict::NoData), Verdict::NoData);
        assert_eq!(judged(Verdict::Good), Verdict::Good);
        counters.count(Outcome::Miss);
        assert_eq!(judged(Verdict::NoData), Verdict::Tune);
    }

    #[test]
    fn what_stands_is_read_as_it_was_set() {
        let standing = Standing::default();
        assert_eq!(standing.get(), Verdict::NoData);
        for verdict in [Verdict::Tune, Verdict::Good, Verdict::Excellent] {
            standing.set(verdict);
            assert_eq!(standing.get(), verdict);
        }
    }
}
