//! Stop asking what does not answer.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A circuit breaker: closed at first, open after several failures in a row, closed again by whoever
/// finds the server well.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    open: AtomicBool,
    failures_in_a_row: AtomicU32,
}

impl Breaker {
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// A command was answered.
    pub(super) fn succeeded(&self) {
        if self.failures_in_a_row.load(Ordering::Relaxed) != 0 {
            self.failures_in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// A command was not. True if this opened the breaker.
    #[must_use]
    pub(super) fn failed(&self) -> bool {
        let failures = self.failures_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        failures >= FAILURES_TO_OPEN && !self.open.swap(true, Ordering::AcqRel)
    }

    pub(super) fn close(&self) {
        self.failures_in_a_row.store(0, Ordering::Relaxed);
        self.open.store(false, Ordering::Release);
    }
}

/// One lost connection fails the commands that were on it, and should not count as an outage; a
/// server that is gone fails everything, and few requests should pay a deadline to learn it.
const FAILURES_TO_OPEN: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_once_after_failures_in_a_row_and_closes_when_told() {
        let breaker = Breaker::default();
        for _ in 0..4 {
            assert!(!breaker.failed());
        }
        breaker.succeeded();
        for _ in 0..4 {
            assert!(!breaker.failed());
        }
        assert!(breaker.failed());
        assert!(!breaker.failed());
        assert!(breaker.is_open());
        breaker.close();
        assert!(!breaker.is_open());
        assert!(!breaker.failed());
    }
}
