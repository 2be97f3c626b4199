//! Counting failures so that one stall counts once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// Failures in a row.
///
/// Commands travel together, so when a server stalls or a connection breaks, all that are under way fail
/// together. That is one sign, not many: a failure counts only if its command was sent after the last
/// one that counted had failed.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    in_a_row: u32,
    last: Option<Instant>,
}

impl Failures {
    /// Something went well.
    pub(super) fn reset(&self) {
        let mut counted = self.locked();
        if counted.in_a_row != 0 {
            *counted = Counted::default();
        }
    }

    /// A command sent at this moment failed just now. Returns the failures in a row.
    pub(super) fn add(&self, sent: Instant) -> u32 {
        let mut counted = self.locked();
        if counted.last.is_none_or(|last| sent >= last) {
            counted.in_a_row += 1;
            counted.last = Some(Instant::now());
        }
        counted.in_a_row
    }

    fn locked(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_together_counts_once_and_success_starts_anew() {
        let failures = Failures::default();
        let before = Instant::now();
        assert_eq!(failures.add(before), 1);
        for _ in 0..10 {
            assert_eq!(failures.add(before), 1);
        }
        assert_eq!(failures.add(Instant::now()), 2);
        failures.reset();
        assert_eq!(failures.add(Instant::now()), 1);
    }
}
