//! The generic cell rate algorithm (ITU-T I.371, annex A), exact at any rate.
//!
//! The state is one moment, the *theoretical arrival time*: when all that was used will have come back.
//! Each unit moves it on by the emission interval, `window / limit`. That is rarely a whole number of
//! microseconds, so a moment has a rest: it lies `rest / parts` microseconds after the whole one.

use std::num::NonZeroU32;

/// A limit with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Gcra {
    /// Into how many parts a microsecond is divided here.
    parts: u64,
    /// Parts between two units.
    interval: u64,
    burst: u64,
}

/// A theoretical arrival time. The zero one stands for a limit of which nothing is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Arrival {
    pub(crate) micros: u64,
    /// Less than the limit's `parts`.
    pub(crate) rest: u64,
}

impl Gcra {
    /// `limit` units in `window` microseconds.
    ///
    /// The interval is the exact fraction wherever the burst then counts less than 2^52 parts. Otherwise
    /// (a limit of many digits over a window of many days) it is rounded up to one that does: too strict by
    /// less than one part in 2^50 for each unit of the burst, so one in a billion for a burst of a million.
    pub(crate) fn new(limit: NonZeroU32, window: u64, burst: NonZeroU32) -> Self {
        let limit = u64::from(limit.get());
        let burst = u64::from(burst.get());
        let divisor = gcd(window, limit);
        let (parts, interval) = (limit / divisor, window / divisor);
        if u128::from(burst) * u128::from(interval) <= MOST_PARTS {
            return Self {
                parts,
                interval,
                burst,
            };
        }
        let depth = u128::from(burst) * u128::from(window) / u128::from(limit) + 1;
        let parts = (MOST_PARTS / 2 / depth).max(1);
        let interval = (u128::from(window) * parts).div_ceil(u128::from(limit));
        Self {
            parts: u64::try_from(parts).expect("at most 2^51"),
            interval: u64::try_from(interval).expect("the burst of them is at most 2^52"),
            burst,
        }
    }

    pub(crate) fn burst(&self) -> u64 {
        self.burst
    }

    pub(crate) fn parts(&self) -> u64 {
        self.parts
    }

    pub(crate) fn interval(&self) -> u64 {
        self.interval
    }

    pub(super) fn available(&self, arrival: Arrival, now: u64) -> u64 {
        (self.depth() - self.debt(arrival, now)) / self.interval
    }

    pub(super) fn charge(&self, arrival: Arrival, now: u64, units: u64) -> Arrival {
        let debt = self.debt(arrival, now) + units.min(self.burst) * self.interval;
        self.arrival(now, debt.min(self.depth()))
    }

    /// What was charged comes back in the order in which it was: of these units, what lies before `back`.
    pub(super) fn refund(&self, arrival: Arrival, now: u64, units: u64, back: u64) -> Arrival {
        let left = back.saturating_sub(now).saturating_mul(self.parts);
        let refund = (units.min(self.burst) * self.interval).min(left);
        self.arrival(now, self.debt(arrival, now).saturating_sub(refund))
    }

    pub(super) fn wait(&self, arrival: Arrival, now: u64, units: u64) -> u64 {
        let needed = units.min(self.burst) * self.interval;
        let debt = self.debt(arrival, now) + needed;
        debt.saturating_sub(self.depth()).div_ceil(self.parts)
    }

    /// Parts of a microsecond until nothing is used any more. A moment that lies further ahead than the
    /// burst is from another clock, and counts as the burst.
    fn debt(&self, arrival: Arrival, now: u64) -> u64 {
        let ahead = arrival.micros.saturating_sub(now);
        if ahead > self.depth() / self.parts {
            return self.depth();
        }
        if arrival.micros < now {
            return 0;
        }
        (ahead * self.parts + arrival.rest.min(self.parts - 1)).min(self.depth())
    }

    /// Whether this can be a moment by the clock that says `now`.
    pub(super) fn is_plausible(&self, arrival: Arrival, now: u64) -> bool {
        arrival.micros.saturating_sub(now) <= self.depth() / self.parts
    }

    /// Microseconds that the whole burst takes to come back.
    pub(super) fn longest_life(&self) -> u64 {
        self.depth().div_ceil(self.parts)
    }

    fn arrival(&self, now: u64, debt: u64) -> Arrival {
        if debt == 0 {
            return Arrival::default();
        }
        Arrival {
            micros: now + debt / self.parts,
            rest: debt % self.parts,
        }
    }

    /// Parts that the whole burst takes to come back.
    fn depth(&self) -> u64 {
        self.burst * self.interval
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Half of what a floating-point number holds exactly.
const MOST_PARTS: u128 = 1 << 52;
