//! What became of a request, told once and seen by all.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The one outcome of a request, in the words of RFC 9211 where it has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Outcome {
    /// Answered from the cache, fresh.
    Hit = 1,
    /// Answered from the cache with a response past its lifetime, as its policy allows.
    Stale,
    /// Answered from the cache after the origin confirmed it.
    Revalidated,
    /// Answered with the response that another request was already fetching.
    Collapsed,
    /// Answered by the origin.
    Miss,
    /// Passed to the origin without asking the cache.
    Bypass,
    /// The origin failed.
    Error,
    /// Refused before it reached the origin: by a limit, or because the request would be answered by the cache
    /// only (`only-if-cached`), which had nothing.
    Rejected,
    /// The client left before there was an answer.
    Cancelled,
}

impl Outcome {
    const ALL: [Self; 9] = [
        Self::Hit,
        Self::Stale,
        Self::Revalidated,
        Self::Collapsed,
        Self::Miss,
        Self::Bypass,
        Self::Error,
        Self::Rejected,
        Self::Cancelled,
    ];

    /// The word for it in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Collapsed => "collapsed",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
            Self::Error => "error",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }

    /// How many calls of the origin such a request made, where nobody says otherwise.
    #[must_use]
    pub const fn usual_calls(self) -> u8 {
        match self {
            Self::Revalidated | Self::Miss | Self::Bypass | Self::Error => 1,
            Self::Hit | Self::Stale | Self::Collapsed | Self::Rejected | Self::Cancelled => 0,
        }
    }

    #[inline]
    fn of_number(number: u64) -> Option<Self> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        Self::ALL.get(index).copied()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the layer that decides knows of a request's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Told {
    /// What became of the request.
    pub outcome: Outcome,
    /// The origin's own time for the answer: of a hit, what its entry took when it was fetched, wherever that
    /// was. None where nobody measured it.
    pub origin_time: Option<Duration>,
    /// How many calls of the origin the request made, those that go on after its answer included.
    pub origin_calls: u8,
    /// The origin's answer may not be stored, or could not be.
    pub is_unstored: bool,
}

impl Told {
    /// The same with the origin's time; zero is none.
    #[must_use]
    pub fn origin_time(mut self, time: Duration) -> Self {
        self.origin_time = Some(time).filter(|time| !time.is_zero());
        self
    }

    /// The same with another number of calls of the origin.
    #[must_use]
    pub fn origin_calls(mut self, calls: u8) -> Self {
        self.origin_calls = calls;
        self
    }

    /// The same, of an answer that may not be stored.
    #[must_use]
    pub fn unstored(mut self, is_unstored: bool) -> Self {
        self.is_unstored = is_unstored;
        self
    }

    #[inline]
    fn word(self) -> u64 {
        let time = self.origin_time.map_or(0, time_bits);
        time | u64::from(self.is_unstored) << UNSTORED_AT
            | u64::from(self.origin_calls) << CALLS_AT
            | self.outcome as u64
    }

    #[inline]
    fn of_word(word: u64) -> Option<Self> {
        Some(Self {
            outcome: Outcome::of_number(word & BYTE)?,
            origin_time: match word >> TIME_AT {
                0 => None,
                nanos => Some(Duration::from_nanos(nanos)),
            },
            origin_calls: calls(word),
            is_unstored: word >> UNSTORED_AT & 1 == 1,
        })
    }
}

/// An outcome of which nothing else is known.
impl From<Outcome> for Told {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            origin_time: None,
            origin_calls: outcome.usual_calls(),
            is_unstored: false,
        }
    }
}

/// Where the layer that decides leaves the [`Outcome`], with what it [knows](Told) of the origin, and whoever
/// put the cell into the request's extensions reads it. The first word stands; but what follows an error, which
/// somebody made good (by a second try, or with something old), takes its place.
///
/// A cell that is still empty when the response's future has gone belongs to a request that was cancelled.
/// It travels with the request because layers in between may replace the response. One allocation, no lock.
///
/// ```
/// use std::time::Duration;
/// use tower_keep_store::{Outcome, OutcomeCell, Told};
///
/// let cell = OutcomeCell::default();
/// // Outside of the cache: `request.extensions_mut().insert(cell.clone())`, call, then `cell.get()`.
/// // Meanwhile, in the layer that decides:
/// cell.tell(Told::from(Outcome::Hit).origin_time(Duration::from_millis(830)));
/// cell.set(Outcome::Miss);
/// assert_eq!(cell.get(), Some(Outcome::Hit));
/// assert_eq!(cell.told().expect("told").origin_time, Some(Duration::from_millis(830)));
/// ```
#[derive(Clone, Default)]
pub struct OutcomeCell(Arc<AtomicU64>);

impl OutcomeCell {
    /// Sets the outcome, unless it is set. Of the origin nothing is known but what [goes without
    /// saying](Outcome::usual_calls).
    #[inline]
    pub fn set(&self, outcome: Outcome) {
        self.tell(outcome.into());
    }

    /// Tells the outcome and what is known of the origin, unless somebody has; false if somebody has. The
    /// calls are those that are told here, not those [under way](Self::calls_origin) before: whoever is
    /// further in knows better. In the place of an error they are at least those that were noted until now.
    #[inline]
    pub fn tell(&self, told: Told) -> bool {
        self.update(|word| match word & BYTE {
            0 => Some(told.word()),
            ERROR => Some(told.origin_calls(told.origin_calls.max(calls(word))).word()),
            _ => None,
        })
    }

    /// Notes that the origin is about to be called. It counts while nobody has told the outcome: a request
    /// that is cancelled meanwhile has made the call all the same. After an error it counts too: a second try.
    pub fn calls_origin(&self) {
        self.update(|word| {
            let is_open = matches!(word & BYTE, 0 | ERROR) && calls(word) < u8::MAX;
            is_open.then_some(word + (1 << CALLS_AT))
        });
    }

    /// Adds, after the outcome was told, how long the origin took to the end of its body. Only for whoever
    /// has told it.
    pub fn took(&self, origin_time: Duration) {
        let time = time_bits(origin_time);
        self.update(|word| Some(word & ((1 << TIME_AT) - 1) | time));
    }

    /// Adds, after the outcome was told, that the answer could not be stored. Only for whoever has told it.
    pub fn not_stored(&self) {
        self.update(|word| Some(word | 1 << UNSTORED_AT));
    }

    /// The outcome, once a layer has set it.
    #[must_use]
    #[inline]
    pub fn get(&self) -> Option<Outcome> {
        Outcome::of_number(self.0.load(Ordering::Acquire) & BYTE)
    }

    /// The outcome and what is known of the origin, once a layer has told it.
    #[must_use]
    #[inline]
    pub fn told(&self) -> Option<Told> {
        Told::of_word(self.0.load(Ordering::Acquire))
    }

    /// How many calls of the origin the request has made, as far as anybody told.
    #[must_use]
    pub fn origin_calls(&self) -> u8 {
        calls(self.0.load(Ordering::Acquire))
    }

    /// Empties a cell that nobody else holds, for another request; false if somebody does.
    #[inline]
    pub fn reset(&mut self) -> bool {
        match Arc::get_mut(&mut self.0) {
            Some(word) => {
                *word.get_mut() = 0;
                true
            }
            None => false,
        }
    }

    #[inline]
    fn update(&self, next: impl FnMut(u64) -> Option<u64>) -> bool {
        let updated = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        updated.is_ok()
    }
}

impl fmt::Debug for OutcomeCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OutcomeCell").field(&self.told()).finish()
    }
}

fn time_bits(time: Duration) -> u64 {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    nanos.min(u64::MAX >> TIME_AT) << TIME_AT
}

fn calls(word: u64) -> u8 {
    u8::try_from(word >> CALLS_AT & BYTE).expect("a byte")
}

// One word: the outcome's number, the calls, whether it was not stored, nanoseconds (up to 39 hours).
const BYTE: u64 = 0xff;
const ERROR: u64 = Outcome::Error as u64;
const CALLS_AT: u32 = 8;
const UNSTORED_AT: u32 = 16;
const TIME_AT: u32 = 17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_survives_the_cell() {
        for outcome in Outcome::ALL {
            let cell = OutcomeCell::default();
            assert_eq!(cell.get(), None);
            cell.set(outcome);
            assert_eq!(cell.get(), Some(outcome));
        }
    }

    #[test]
    fn all_that_is_told_comes_back_and_the_first_word_stands() {
        let first = Told::from(Outcome::Stale)
            .origin_time(Duration::from_nanos(1))
            .origin_calls(1)
            .unstored(true);
        let cell = OutcomeCell::default();
        cell.calls_origin();
        assert_eq!((cell.told(), cell.origin_calls()), (None, 1));
        assert!(cell.tell(first));
        assert!(!cell.tell(Outcome::Miss.into()));
        cell.calls_origin();
        assert_eq!(cell.told(), Some(first));
    }

    /// The second try calls the origin a second time.
    #[test]
    fn an_error_that_is_tried_again_is_not_the_last_word() {
        let cell = OutcomeCell::default();
        cell.calls_origin();
        assert!(cell.tell(Outcome::Error.into()));
        assert_eq!(cell.get(), Some(Outcome::Error));
        cell.calls_origin();
        assert!(cell.tell(Outcome::Miss.into()));
        assert!(!cell.tell(Outcome::Error.into()));
        let told = cell.told().expect("told");
        assert_eq!((told.outcome, told.origin_calls), (Outcome::Miss, 2));
    }

    /// Of two caches the inner one fails, and the outer one has something old: that was one call.
    #[test]
    fn an_error_that_somebody_makes_good_is_one_call() {
        let cell = OutcomeCell::default();
        (0..2).for_each(|_| cell.calls_origin());
        cell.set(Outcome::Error);
        assert!(cell.tell(Told::from(Outcome::Stale).origin_calls(1)));
        let told = cell.told().expect("told");
        assert_eq!((told.outcome, told.origin_calls), (Outcome::Stale, 1));
    }

    #[test]
    fn whoever_answers_knows_how_often_the_origin_was_called() {
        let cell = OutcomeCell::default();
        (0..300).for_each(|_| cell.calls_origin());
        assert_eq!(cell.origin_calls(), u8::MAX);
        cell.set(Outcome::Hit);
        assert_eq!(cell.origin_calls(), 0);
    }

    #[test]
    fn what_is_known_later_is_added() {
        let cell = OutcomeCell::default();
        cell.tell(Told::from(Outcome::Miss).origin_time(Duration::from_millis(1)));
        cell.took(Duration::MAX);
        cell.not_stored();
        let told = cell.told().expect("told");
        assert_eq!(
            (told.outcome, told.origin_calls, told.is_unstored),
            (Outcome::Miss, 1, true)
        );
        assert!(told.origin_time > Some(Duration::from_secs(38 * 3600)));
    }

    #[test]
    fn a_cell_is_emptied_only_by_its_last_holder() {
        let mut cell = OutcomeCell::default();
        cell.set(Outcome::Hit);
        let other = cell.clone();
        assert!(!cell.reset());
        drop(other);
        assert!(cell.reset());
        assert_eq!(cell.get(), None);
    }
}
