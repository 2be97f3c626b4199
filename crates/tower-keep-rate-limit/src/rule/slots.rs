//! The concurrency limit: a count of what is under way.

use std::num::NonZeroU32;

/// So many at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slots {
    limit: u64,
}

impl Slots {
    pub(crate) fn new(limit: NonZeroU32) -> Self {
        Self {
            limit: u64::from(limit.get()),
        }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn available(&self, taken: u64) -> u64 {
        self.limit.saturating_sub(taken)
    }

    pub(super) fn charge(&self, taken: u64, units: u64) -> u64 {
        taken.saturating_add(units)
    }

    pub(super) fn refund(&self, taken: u64, units: u64) -> u64 {
        taken.saturating_sub(units)
    }

    /// Nobody knows when a slot will be free: a second is as good a guess as any.
    pub(super) fn wait(&self, taken: u64, units: u64) -> u64 {
        if taken.saturating_add(units.min(self.limit)) <= self.limit {
            0
        } else {
            GUESS
        }
    }
}

const GUESS: u64 = 1_000_000;
