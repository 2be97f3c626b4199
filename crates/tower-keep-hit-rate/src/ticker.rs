//! The time that windows and latencies are measured in.

use std::sync::atomic::{AtomicU64, Ordering};

use tower_keep_store::{Clock, Timestamp};

use crate::stopwatch;

/// Nanoseconds since the monitor was made. They never go back, but for what two threads may differ by.
#[derive(Debug)]
pub(crate) enum Ticker {
    /// The operating system's clock is set now and then; what has passed is not asked of it.
    Monotonic(u64),
    /// A clock that a test moves. One that steps back stands still until it is where it was.
    Manual {
        clock: Clock,
        start: Timestamp,
        latest: AtomicU64,
    },
}

impl Ticker {
    pub(crate) fn new(clock: &Clock) -> Self {
        if !clock.is_manual() {
            return Self::Monotonic(stopwatch::now());
        }
        Self::Manual {
            clock: clock.clone(),
            start: clock.now(),
            latest: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn now(&self) -> u64 {
        match self {
            Self::Monotonic(start) => stopwatch::now().saturating_sub(*start),
            Self::Manual {
                clock,
                start,
                latest,
            } => {
                let passed = nanos(clock.now().since(*start).as_nanos());
                latest.fetch_max(passed, Ordering::AcqRel).max(passed)
            }
        }
    }
}

fn nanos(passed: u128) -> u64 {
    u64::try_from(passed).unwrap_or(u64::MAX)
}

pub(crate) const SECOND: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_steps_back_stands_still() {
        let clock = Clock::manual(Timestamp::from_secs(1000));
        let ticker = Ticker::new(&clock);
        clock.advance(Duration::from_secs(10));
        assert_eq!(ticker.now(), 10 * SECOND);
        // Its hands go around: three seconds back.
        clock.advance(Duration::from_micros(u64::MAX - 2_999_999));
        assert_eq!(clock.now(), Timestamp::from_secs(1007));
        assert_eq!(ticker.now(), 10 * SECOND);
        clock.advance(Duration::from_secs(4));
        assert_eq!(ticker.now(), 11 * SECOND);
    }
}
