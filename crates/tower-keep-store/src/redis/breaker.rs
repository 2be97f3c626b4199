//! Stop asking what does not answer.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use super::failures::Failures;

/// A circuit breaker: closed at first, open after several failures in a row, closed again by whoever
/// finds the server well.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    open: AtomicBool,
    /// Failures were counted since the last success: what a success needs to look at.
    failing: AtomicBool,
    failures: Failures,
}

impl Breaker {
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// A command was answered.
    pub(super) fn succeeded(&self) {
        if self.failing.load(Ordering::Relaxed) {
            self.failing.store(false, Ordering::Relaxed);
            self.failures.reset();
        }
    }

    /// A command that was sent at this moment was not. True if this opened the breaker.
    #[must_use]
    pub(super) fn failed(&self, sent: Instant) -> bool {
        self.failing.store(true, Ordering::Relaxed);
        let failures = self.failures.add(sent);
        failures >= FAILURES_TO_OPEN && !self.open.swap(true, Ordering::AcqRel)
    }

    pub(super) fn close(&self) {
        self.failures.reset();
        self.open.store(false, Ordering::Release);
    }
}

/// One stall or one lost connection should not count as an outage; a server that is gone fails
/// everything, and few requests should pay a deadline to learn it.
const FAILURES_TO_OPEN: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_once_after_failures_in_a_row_and_closes_when_told() {
        let breaker = Breaker::default();
        let fail = || breaker.failed(Instant::now());
        for _ in 0..3 {
            assert!(!fail());
        }
        breaker.succeeded();
        for _ in 0..3 {
            assert!(!fail());
        }
        assert!(fail());
        assert!(!fail());
        assert!(breaker.is_open());
        breaker.close();
        assert!(!breaker.is_open());
        assert!(!fail());
    }
}
