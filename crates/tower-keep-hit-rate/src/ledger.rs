//! What caching saved, and what it cost.

use serde::Serialize;
use tower_keep_store::Outcome;

use crate::{
    counts::{Counts, Figure},
    windows::Span,
};

/// Whether caching a class is worth it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Worth {
    /// Too early, or too little was measured.
    #[default]
    NoData,
    /// It takes longer with the cache than it would without.
    Slower,
    /// It saves, or would save, less than a millisecond per second.
    NotWorthIt,
    /// It saves at least a millisecond per second.
    WorthIt,
    /// No cache was asked. It would save at most what [`Ledger::could_save_ms_per_second`] says.
    Untried,
}

/// The time that caching saved in a window, in milliseconds.
///
/// What a hit saved is what the origin took when its own entry was fetched, in whichever process, as the cache
/// [tells](tower_keep_store::Told); where nobody tells, a mean fetch or miss of its class. From that goes what
/// looking cost, hits and misses alike: as long as a mean hit to its head, which is nothing but a look. (Reading
/// the body is left out on both sides: a slow client is slow either way.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Ledger {
    /// What the origin would have worked on the hits.
    pub origin_avoided_ms: f64,
    /// What answering the hits took, and looking for what was not there.
    pub cost_ms: f64,
    /// The difference, below zero where caching is slower.
    pub saved_ms: f64,
    /// The same, per second of the window: how many requests' worth of waiting is saved at any moment, in
    /// thousandths.
    pub saved_ms_per_second: f64,
    /// What it would be at most, if every lookup and every bypass were a hit that takes no time: those that were
    /// hits save what they saved, all others what the origin takes in the mean.
    pub could_save_ms_per_second: Option<f64>,
    /// The hit rate from which the class is faster with a cache than without; 1 where none is.
    pub break_even_hit_rate: Option<f64>,
    /// Hits that are not in the ledger, as nobody knows what they would have taken.
    pub unpriced_hits: u64,
}

impl Ledger {
    pub(crate) fn of(span: &Span) -> Self {
        let counts = &span.counts;
        let look = counts.mean(Figure::LookTime, Figure::HitsTimed);
        let looked = look.unwrap_or(0.0);
        let misses = float(counts.get(Figure::MissesTimed));
        // A miss took the look and the origin; hence the origin's part of what stands for it.
        let estimated = float(counts.get(Figure::Estimated));
        let avoided = float(counts.get(Figure::Avoided)) - looked * estimated;
        let cost = looked * (float(priced(counts)) + misses);
        let saved = avoided - cost;
        Self {
            origin_avoided_ms: avoided / MILLI,
            cost_ms: cost / MILLI,
            saved_ms: saved / MILLI,
            saved_ms_per_second: per_second(saved / MILLI, span),
            could_save_ms_per_second: most(span, avoided),
            break_even_hit_rate: break_even(counts, look),
            unpriced_hits: counts.get(Figure::Unpriced),
        }
    }

    /// Whether it is worth it to save at least so much.
    pub(crate) fn worth(&self, counts: &Counts, enough: f64) -> Worth {
        let is_too_little = self
            .could_save_ms_per_second
            .is_some_and(|most| most < enough);
        let is_measured = priced(counts) > 0 && counts.lookups() >= LEAST_LOOKUPS;
        // Of an error nobody knows whether a cache was asked.
        let answered = counts.lookups() - counts.of(Outcome::Error);
        let is_in_vain = counts.hits() == 0 && answered >= LEAST_LOOKUPS;
        if answered == 0 && counts.of(Outcome::Bypass) > 0 && !is_too_little {
            Worth::Untried
        } else if is_measured && self.saved_ms < 0.0 {
            Worth::Slower
        } else if is_too_little || is_in_vain || is_measured && self.saved_ms_per_second < enough {
            Worth::NotWorthIt
        } else if is_measured {
            Worth::WorthIt
        } else {
            Worth::NoData
        }
    }
}

/// With a cache, a share h of the requests takes a look, and the others a look and the origin's time.
fn break_even(counts: &Counts, look: Option<f64>) -> Option<f64> {
    let look = look?;
    let origin = match counts.mean(Figure::FetchTime, Figure::Fetched) {
        Some(fetch) => fetch,
        None => counts.mean(Figure::MissTime, Figure::MissesTimed)? - look,
    };
    Some(if origin > look { look / origin } else { 1.0 })
}

/// What hits saved is theirs; all others would save what the origin takes in the mean.
fn most(span: &Span, avoided: f64) -> Option<f64> {
    let counts = &span.counts;
    let origin = counts.mean(Figure::OriginTime, Figure::OriginTimed)?;
    let asked = counts.lookups() + counts.of(Outcome::Bypass);
    let others = asked.saturating_sub(priced(counts));
    let most = avoided + origin * float(others);
    Some(per_second(most / MILLI, span))
}

/// Timed hits of which it is known what they saved.
fn priced(counts: &Counts) -> u64 {
    let timed = counts.get(Figure::HitsTimed);
    timed.saturating_sub(counts.get(Figure::Unpriced))
}

fn per_second(amount: f64, span: &Span) -> f64 {
    let seconds = span.seconds();
    if seconds > 0.0 { amount / seconds } else { 0.0 }
}

fn float(count: u64) -> f64 {
    count as f64
}

/// Nanoseconds of a millisecond.
const MILLI: f64 = 1e6;

/// Fewer say nothing.
const LEAST_LOOKUPS: u64 = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{counts::Counters, ticker::SECOND};

    /// Requests of an hour, at a hit rate, with what a hit and the origin take in microseconds.
    fn hour(requests: u64, rate: f64, hit: u64, origin: u64) -> (Span, Ledger) {
        let counters = Counters::default();
        let hits = (requests as f64 * rate) as u64;
        let miss = hit + origin;
        for request in 0..requests {
            if request < hits {
                counters.count(Outcome::Hit);
                counters.add(Figure::HitsTimed, 1);
                counters.add(Figure::LookTime, hit * 1000);
                counters.add(Figure::Avoided, origin * 1000);
            } else {
                counters.count(Outcome::Miss);
                counters.add(Figure::MissesTimed, 1);
                counters.add(Figure::MissTime, miss * 1000);
                counters.add(Figure::OriginTimed, 1);
                counters.add(Figure::OriginTime, miss * 1000);
                counters.add(Figure::Fetched, 1);
                counters.add(Figure::FetchTime, origin * 1000);
            }
        }
        let span = Span {
            counts: counters.load(),
            from: 0,
            until: 3600 * SECOND,
        };
        (span, Ledger::of(&span))
    }

    fn worth((span, ledger): &(Span, Ledger)) -> Worth {
        ledger.worth(&span.counts, 1.0)
    }

    #[test]
    fn five_milliseconds_ten_times_a_minute_are_not_worth_it() {
        assert_eq!(worth(&hour(600, 0.95, 100, 5_000)), Worth::NotWorthIt);
        assert_eq!(worth(&hour(600, 0.0, 0, 5_000)), Worth::NotWorthIt);
    }

    #[test]
    fn the_same_a_hundred_times_a_second_are() {
        let hour = hour(360_000, 0.9, 100, 5_000);
        assert_eq!(worth(&hour), Worth::WorthIt);
        // 90 hits a second save 4.9 ms each, 10 misses lose 0.1 ms each.
        assert!((hour.1.saved_ms_per_second - 440.0).abs() < 0.01);
        let break_even = hour.1.break_even_hit_rate.expect("measured");
        assert!((break_even - 0.02).abs() < 1e-9);
    }

    #[test]
    fn a_cache_in_front_of_what_is_faster_is_slower() {
        let hour = hour(360_000, 0.95, 150, 40);
        assert_eq!(worth(&hour), Worth::Slower);
        assert_eq!(hour.1.break_even_hit_rate, Some(1.0));
        assert!(hour.1.saved_ms < 0.0);
    }

    /// Hits, each of which saved so many milliseconds, and what else was counted in an hour.
    fn told(hits: u64, avoided: u64, more: impl FnOnce(&Counters)) -> (Span, Ledger) {
        let counters = Counters::default();
        for _ in 0..hits {
            counters.count(Outcome::Hit);
            counters.add(Figure::HitsTimed, 1);
            counters.add(Figure::LookTime, 100_000);
            counters.add(Figure::Avoided, avoided * 1_000_000);
        }
        more(&counters);
        let span = Span {
            counts: counters.load(),
            from: 0,
            until: 3600 * SECOND,
        };
        (span, Ledger::of(&span))
    }

    /// What the origin took meanwhile was cheap: it only confirmed.
    #[test]
    fn what_could_be_saved_is_never_less_than_what_is() {
        let hour = told(1000, 1000, |counters| {
            for _ in 0..100 {
                counters.count(Outcome::Revalidated);
                counters.add(Figure::OriginTimed, 1);
                counters.add(Figure::OriginTime, 1_000_000);
            }
        });
        let ledger = hour.1;
        assert!(ledger.saved_ms_per_second > 277.0, "{ledger:?}");
        assert!(ledger.could_save_ms_per_second >= Some(ledger.saved_ms_per_second));
        assert_eq!(worth(&hour), Worth::WorthIt);
    }

    #[test]
    fn lookups_without_a_hit_save_nothing() {
        let hour = hour(360_000, 0.0, 100, 5_000);
        assert_eq!(worth(&hour), Worth::NotWorthIt);
        assert_eq!(hour.0.counts.hit_rate(), Some(0.0));
        assert_eq!(hour.1.worth(&hour.0.counts, 0.0), Worth::NotWorthIt);
    }

    #[test]
    fn an_error_where_nobody_asked_a_cache_is_no_try() {
        let hour = told(0, 0, |counters| {
            for _ in 0..360_000 {
                counters.count(Outcome::Bypass);
                counters.add(Figure::OriginTimed, 1);
                counters.add(Figure::OriginTime, 5_000_000);
            }
            (0..30).for_each(|_| counters.count(Outcome::Error));
        });
        assert_eq!(worth(&hour), Worth::Untried);
    }

    #[test]
    fn nothing_measured_says_nothing() {
        assert_eq!(worth(&hour(0, 0.0, 0, 0)), Worth::NoData);
        let hour = hour(0, 0.0, 0, 0);
        assert_eq!(
            (hour.1.could_save_ms_per_second, hour.1.break_even_hit_rate),
            (None, None)
        );
    }
}
