//! Monotonic time, read in a third of the time that it takes to ask the operating system.
//!
//! The processor's counter (TSC) is read where it runs at one rate, else the system's clock. A rate that was measured
//! once is wrong by some millionths, and a machine that sleeps may stop or reset its counter. So each thread sets it by
//! the system's clock twenty times a second: it is off by no more than it errs in that time, about a microsecond.

use std::{cell::Cell, sync::LazyLock, time::Instant};

use quanta::Clock;

/// Nanoseconds since some moment in this process.
#[inline]
pub(crate) fn now() -> u64 {
    let (clock, start) = &*CLOCK;
    let raw = clock.raw();
    let read = SET.try_with(|set| {
        let (at, nanos) = set.get();
        let passed = clock.delta_as_nanos(at, raw);
        if nanos > 0 && at <= raw && passed < VALID {
            return nanos + passed;
        }
        set.set(compared(clock, start));
        system(start).max(nanos)
    });
    read.unwrap_or_else(|_thread_ends| system(start))
}

/// Both at the same time, or neither: a thread that is suspended between the two readings would set its own wrong.
fn compared(clock: &Clock, start: &Instant) -> (u64, u64) {
    let (before, nanos, after) = (clock.raw(), system(start), clock.raw());
    if clock.delta_as_nanos(before, after) < TOGETHER {
        (before.midpoint(after), nanos)
    } else {
        (0, 0)
    }
}

/// From one: zero is a thread that has not set its own.
fn system(start: &Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX - 1) + 1
}

static CLOCK: LazyLock<(Clock, Instant)> = LazyLock::new(|| (Clock::new(), Instant::now()));

thread_local! {
    /// The counter, and the nanoseconds at that time.
    static SET: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// In nanoseconds.
const VALID: u64 = 50_000_000;
const TOGETHER: u64 = 2_000;

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// A thread that is suspended between two readings widens its own bounds.
    #[test]
    fn it_is_within_ten_microseconds_of_the_systems() {
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let (_, start) = &*CLOCK;
                    let mut last = 0;
                    while last < 300_000_000 {
                        let before = system(start);
                        let read = now();
                        let after = system(start);
                        assert!(before < read + 10_000, "{read} is before {before}");
                        assert!(read < after + 10_000, "{read} is after {after}");
                        assert!(read + 10_000 > last, "{read} is before {last}");
                        last = read;
                    }
                });
            }
        });
    }
}
