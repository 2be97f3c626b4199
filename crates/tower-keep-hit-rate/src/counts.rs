//! What is counted of a class.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use tower_keep_store::Outcome;

use crate::seat::{SEATS, add_own, seat};

/// Counts since the start, which all threads add to and nobody takes from: each in a place of its own, as long as
/// there are [seats](crate::seat).
#[derive(Debug, Default)]
pub(crate) struct Counters {
    shared: Place,
    own: [OnceLock<Box<Place>>; SEATS],
}

/// On cache lines that nobody else writes to.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Place([AtomicU64; FIGURES]);

/// Where a thread adds to the counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adding<'a> {
    place: &'a Place,
    is_own: bool,
}

impl Counters {
    /// Where this thread adds. Not to be handed to another.
    #[inline]
    pub(crate) fn adding(&self) -> Adding<'_> {
        match seat() {
            Some(seat) => Adding {
                place: self.own[seat].get_or_init(Box::default),
                is_own: true,
            },
            None => Adding {
                place: &self.shared,
                is_own: false,
            },
        }
    }

    #[cfg(test)]
    pub(crate) fn count(&self, outcome: Outcome) {
        self.adding().count(outcome);
    }

    pub(crate) fn add(&self, figure: Figure, amount: u64) {
        self.adding().add(figure, amount);
    }

    pub(crate) fn get(&self, figure: Figure) -> u64 {
        self.sum(figure as usize)
    }

    /// Requests for which the cache was asked, so far.
    pub(crate) fn lookups(&self) -> u64 {
        let is_lookup = |outcome: &&Outcome| is_lookup(**outcome);
        let lookups = OUTCOMES.iter().filter(is_lookup);
        lookups.map(|outcome| self.sum(place(*outcome))).sum()
    }

    pub(crate) fn load(&self) -> Counts {
        Counts(std::array::from_fn(|figure| self.sum(figure)))
    }

    fn sum(&self, figure: usize) -> u64 {
        let own = self.own.iter().filter_map(OnceLock::get);
        let all = own.map(|place| &**place).chain([&self.shared]);
        all.map(|it| it.0[figure].load(Ordering::Acquire)).sum()
    }
}

impl Adding<'_> {
    #[inline]
    pub(crate) fn count(self, outcome: Outcome) {
        self.add_to(place(outcome), 1);
    }

    #[inline]
    pub(crate) fn add(self, figure: Figure, amount: u64) {
        self.add_to(figure as usize, amount);
    }

    #[inline]
    fn add_to(self, figure: usize, amount: u64) {
        let sum = &self.place.0[figure];
        if self.is_own {
            add_own(sum, amount);
        } else {
            sum.fetch_add(amount, Ordering::Release);
        }
    }
}

/// What else is counted, beside the outcomes. Durations are nanoseconds.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(crate) enum Figure {
    /// Hits whose body went out as a whole, and how long they took.
    HitsTimed = OUTCOMES.len(),
    HitTime,
    CollapsedTimed,
    CollapsedTime,
    MissesTimed,
    MissTime,
    /// Whatever the origin answered: misses too.
    OriginTimed,
    OriginTime,
    /// How long timed hits took to their head: nothing but a look.
    LookTime,
    /// Misses of which the origin's own time is known, and that.
    Fetched,
    FetchTime,
    /// What the origin would have taken for timed hits.
    Avoided,
    /// Those of them for which nobody told, so that they count as a mean miss, the look included.
    Estimated,
    /// Timed hits of which nobody knows what they would have taken.
    Unpriced,
    /// Calls of the origin.
    OriginCalls,
    /// Misses of which the response was not stored.
    Unstored,
    CacheBytes,
    OriginBytes,
    /// Bodies that the client left, and bodies that broke or panicked.
    Abandoned,
    Broken,
}

/// Counts of some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts([u64; FIGURES]);

impl Counts {
    pub(crate) fn of(&self, outcome: Outcome) -> u64 {
        self.0[place(outcome)]
    }

    pub(crate) fn get(&self, figure: Figure) -> u64 {
        self.0[figure as usize]
    }

    /// What was counted since the earlier counts.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self(std::array::from_fn(|figure| {
            self.0[figure].saturating_sub(earlier.0[figure])
        }))
    }

    pub(crate) fn figures(&self) -> &[u64; FIGURES] {
        &self.0
    }

    pub(crate) fn from_figures(figures: [u64; FIGURES]) -> Self {
        Self(figures)
    }

    /// Adds what was counted elsewhere. However much that is, all figures together do not overflow.
    pub(crate) fn add(&mut self, other: &Self) {
        for (figure, more) in self.0.iter_mut().zip(other.0) {
            *figure = figure.saturating_add(more).min(MOST);
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        OUTCOMES.iter().map(|outcome| self.of(*outcome)).sum()
    }

    /// Requests for which the cache was asked, and that were not given up.
    pub(crate) fn lookups(&self) -> u64 {
        let is_lookup = |outcome: &&Outcome| is_lookup(**outcome);
        let lookups = OUTCOMES.iter().filter(is_lookup);
        lookups.map(|outcome| self.of(*outcome)).sum()
    }

    pub(crate) fn hits(&self) -> u64 {
        self.of(Outcome::Hit) + self.of(Outcome::Stale)
    }

    pub(crate) fn hit_rate(&self) -> Option<f64> {
        ratio(self.hits(), self.lookups())
    }

    /// Calls of the origin, those of refreshes in the background and of requests that were cancelled included.
    pub(crate) fn origin_calls(&self) -> u64 {
        self.get(Figure::OriginCalls)
    }

    /// Never below zero, though those who were cancelled may have made more calls than others have asked.
    pub(crate) fn offload(&self) -> Option<f64> {
        let asked = self.lookups() + self.of(Outcome::Bypass);
        ratio(self.origin_calls(), asked).map(|called| (1.0 - called).max(0.0))
    }

    /// The mean of a time, in nanoseconds.
    pub(crate) fn mean(&self, time: Figure, timed: Figure) -> Option<f64> {
        ratio(self.get(time), self.get(timed))
    }
}

#[inline]
pub(crate) fn is_lookup(outcome: Outcome) -> bool {
    !matches!(
        outcome,
        Outcome::Bypass | Outcome::Rejected | Outcome::Cancelled
    )
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn place(outcome: Outcome) -> usize {
    // They are numbered from one.
    (outcome as usize - 1).min(OUTCOMES.len() - 1)
}

/// All outcomes, in the order of their numbers.
pub(crate) const OUTCOMES: [Outcome; 9] = [
    Outcome::Hit,
    Outcome::Stale,
    Outcome::Revalidated,
    Outcome::Collapsed,
    Outcome::Miss,
    Outcome::Bypass,
    Outcome::Error,
    Outcome::Rejected,
    Outcome::Cancelled,
];

/// Nine years of nanoseconds.
const MOST: u64 = 1 << 58;

pub(crate) const FIGURES: usize = Figure::Broken as usize + 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_a_place_of_its_own() {
        for (index, outcome) in OUTCOMES.into_iter().enumerate() {
            assert_eq!(place(outcome), index);
        }
    }

    #[test]
    fn without_lookups_there_is_no_rate() {
        let counters = Counters::default();
        for outcome in [Outcome::Bypass, Outcome::Rejected, Outcome::Cancelled] {
            counters.count(outcome);
        }
        counters.add(Figure::OriginCalls, 1);
        let counts = counters.load();
        assert_eq!(counts.requests(), 3);
        assert_eq!((counts.lookups(), counts.hit_rate()), (0, None));
        assert_eq!(counts.offload(), Some(0.0));
        assert_eq!(Counts::default().offload(), None);
    }

    #[test]
    fn offload_is_never_below_zero() {
        let counters = Counters::default();
        counters.count(Outcome::Hit);
        (0..3).for_each(|_| counters.count(Outcome::Cancelled));
        counters.add(Figure::OriginCalls, 3);
        assert_eq!(counters.load().offload(), Some(0.0));
    }

    #[test]
    fn those_who_waited_for_another_are_no_hits_but_no_calls_either() {
        let counters = Counters::default();
        counters.count(Outcome::Miss);
        counters.add(Figure::OriginCalls, 1);
        (0..7).for_each(|_| counters.count(Outcome::Collapsed));
        let counts = counters.load();
        assert_eq!(counts.hit_rate(), Some(0.0));
        assert_eq!(counts.offload(), Some(0.875));
    }
}
