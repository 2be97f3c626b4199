//! What became of a request, told once and seen by all.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
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
    /// Refused before it reached the origin.
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
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the layer that decides leaves the [`Outcome`], and whoever put the cell into the request's
/// extensions reads it. The first word stands.
///
/// A cell that is still empty when the response's future has gone belongs to a request that was cancelled.
/// It travels with the request because layers in between may replace the response.
///
/// ```
/// use tower_keep_store::{Outcome, OutcomeCell};
///
/// let cell = OutcomeCell::default();
/// // Outside of the cache: `request.extensions_mut().insert(cell.clone())`, call, then `cell.get()`.
/// // Meanwhile, in the layer that decides:
/// cell.set(Outcome::Hit);
/// cell.set(Outcome::Miss);
/// assert_eq!(cell.get(), Some(Outcome::Hit));
/// ```
#[derive(Clone, Default)]
pub struct OutcomeCell(Arc<AtomicU8>);

impl OutcomeCell {
    /// Sets the outcome, unless it is set.
    pub fn set(&self, outcome: Outcome) {
        let _first_word_stands =
            self.0
                .compare_exchange(0, outcome as u8, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The outcome, once a layer has set it.
    #[must_use]
    pub fn get(&self) -> Option<Outcome> {
        let index = usize::from(self.0.load(Ordering::Acquire)).checked_sub(1)?;
        Outcome::ALL.get(index).copied()
    }
}

impl fmt::Debug for OutcomeCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OutcomeCell").field(&self.get()).finish()
    }
}

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
}
