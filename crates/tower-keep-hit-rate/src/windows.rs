//! The last minute, five minutes and hour, read off counts that only ever rise.
//!
//! A request adds to the counts since the start and to nothing else. Every five seconds the first request
//! marks where they stand; a window is what has come since the mark at its beginning. So nothing is counted
//! twice, nothing is cleared under somebody who counts, and an idle class costs nothing.

use std::sync::{
    Mutex, MutexGuard, PoisonError, TryLockError,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    counts::{Counters, Counts},
    ticker::SECOND,
};

/// A stretch of time that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    Minute,
    FiveMinutes,
    Hour,
    Start,
}

/// What was counted in a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) counts: Counts,
    /// When it began; a little earlier than asked for, as marks are some seconds apart.
    pub(crate) from: u64,
    pub(crate) until: u64,
}

impl Span {
    pub(crate) fn seconds(&self) -> f64 {
        self.until.saturating_sub(self.from) as f64 / SECOND as f64
    }
}

/// The marks of one class.
#[derive(Debug)]
pub(crate) struct Windows {
    tick: AtomicU64,
    marks: Mutex<Marks>,
}

impl Windows {
    /// Those of a class that is first seen now and is warm at that time.
    pub(crate) fn new(now: u64, warm_at: u64) -> Self {
        let tick = now / TICK;
        let ring = |(every, marks)| Ring::new(every, marks);
        Self {
            tick: AtomicU64::new(tick),
            marks: Mutex::new(Marks {
                tick,
                born: now,
                warm_at,
                warm: None,
                rings: RINGS.map(ring),
            }),
        }
    }

    /// To be called before anything is counted at `now`; true if marks were made.
    #[inline]
    pub(crate) fn turn(&self, now: u64, counters: &Counters) -> bool {
        if now / TICK <= self.tick.load(Ordering::Acquire) {
            return false;
        }
        // Whoever holds it turns as well, or reads and has turned.
        let marks = match self.marks.try_lock() {
            Ok(marks) => marks,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        self.advance(marks, now, counters);
        true
    }

    pub(crate) fn read(&self, window: Window, now: u64, counters: &Counters) -> Span {
        self.advance(self.lock(), now, counters);
        let counts = counters.load();
        self.lock().span(window, now, counts)
    }

    /// The same, without what was counted before the class was warm; nothing until then.
    pub(crate) fn read_warm(&self, window: Window, now: u64, counters: &Counters) -> Option<Span> {
        let span = self.read(window, now, counters);
        let marks = self.lock();
        let warm = marks.warm?;
        if span.from >= marks.warm_at {
            return Some(span);
        }
        let counts = counters.load().since(&warm);
        Some(Span {
            counts,
            from: marks.warm_at,
            ..span
        })
    }

    fn advance(&self, mut marks: MutexGuard<'_, Marks>, now: u64, counters: &Counters) {
        marks.advance(now, counters);
        self.tick.store(marks.tick, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Marks {
    tick: u64,
    born: u64,
    warm_at: u64,
    /// Where the counts stood when the class was warm.
    warm: Option<Counts>,
    rings: [Ring; 3],
}

impl Marks {
    fn advance(&mut self, now: u64, counters: &Counters) {
        let tick = now / TICK;
        if tick <= self.tick {
            return;
        }
        // Nothing was counted since the last turn's tick but what these counts hold.
        let counts = counters.load();
        for ring in &mut self.rings {
            ring.advance(self.tick, tick, counts);
        }
        if now >= self.warm_at {
            self.warm.get_or_insert(counts);
        }
        self.tick = tick;
    }

    fn span(&self, window: Window, now: u64, counts: Counts) -> Span {
        let start = match window {
            Window::Minute => self.rings[0].start(self.tick),
            Window::FiveMinutes => self.rings[1].start(self.tick),
            Window::Hour => self.rings[2].start(self.tick),
            Window::Start => None,
        };
        let (from, earlier) = start.unwrap_or_default();
        Span {
            counts: counts.since(&earlier),
            from: from.max(self.born),
            until: now,
        }
    }
}

/// Where the counts stood at the beginning of each of the last steps.
#[derive(Debug)]
struct Ring {
    /// Ticks of a step.
    every: u64,
    marks: Box<[Counts]>,
}

impl Ring {
    fn new(every: u64, steps: usize) -> Self {
        Self {
            every,
            marks: vec![Counts::default(); steps + 1].into(),
        }
    }

    fn advance(&mut self, from: u64, to: u64, counts: Counts) {
        let (from, to) = (from / self.every, to / self.every);
        let steps = self.marks.len() as u64;
        for step in (from + 1).max(to.saturating_sub(steps - 1))..=to {
            let place = self.place(step);
            self.marks[place] = counts;
        }
    }

    /// The mark at which the ring's window begins, and its time; none where it is older than the monitor.
    fn start(&self, tick: u64) -> Option<(u64, Counts)> {
        let step = (tick / self.every).checked_sub(self.marks.len() as u64 - 1)?;
        Some((step * self.every * TICK, self.marks[self.place(step)]))
    }

    fn place(&self, step: u64) -> usize {
        usize::try_from(step % self.marks.len() as u64).expect("less than a length")
    }
}

/// The finest step, in nanoseconds.
pub(crate) const TICK: u64 = 5 * SECOND;

/// Ticks of a step, and steps: a minute, five minutes, an hour.
const RINGS: [(u64, usize); 3] = [(1, 12), (3, 20), (12, 60)];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tower_keep_store::Outcome;

    use super::*;

    proptest! {
        /// Steps that are mostly short and now and then longer than a whole ring.
        #[test]
        fn a_window_has_what_came_since_its_beginning(
            steps in prop::collection::vec((prop_oneof![0..3_000_u64, 0..400_000_u64, 0..8_000_000_u64], 0..5_u64), 1..60),
            born in 0..10_000_u64,
        ) {
            let (counters, mut events) = (Counters::default(), Vec::new());
            let mut now = born * (SECOND / 1000);
            let windows = Windows::new(now, u64::MAX);
            for (millis, requests) in steps {
                now += millis * (SECOND / 1000);
                windows.turn(now, &counters);
                for _ in 0..requests {
                    counters.count(Outcome::Hit);
                    events.push(now);
                }
                for (window, ticks, most) in [
                    (Window::Minute, 1, 60),
                    (Window::FiveMinutes, 3, 300),
                    (Window::Hour, 12, 3600),
                    (Window::Start, 1, u64::MAX / SECOND),
                ] {
                    let step = ticks * TICK;
                    let begin = (now / step).saturating_sub((most * SECOND) / step) * step;
                    let truth = events.iter().filter(|event| **event >= begin).count() as u64;
                    let span = windows.read(window, now, &counters);
                    prop_assert_eq!(span.counts.requests(), truth, "{:?} at {}", window, now);
                    let shortest = (most * SECOND).min(now - born * (SECOND / 1000));
                    prop_assert!(span.until - span.from >= shortest);
                    prop_assert!(span.until - span.from <= (most * SECOND).saturating_add(step));
                }
            }
        }
    }

    #[test]
    fn what_came_before_it_was_warm_is_left_out() {
        let counters = Counters::default();
        let windows = Windows::new(0, 60 * SECOND);
        counters.count(Outcome::Miss);
        assert!(
            windows
                .read_warm(Window::Start, 59 * SECOND, &counters)
                .is_none()
        );
        windows.turn(61 * SECOND, &counters);
        counters.count(Outcome::Hit);
        let span = windows.read_warm(Window::FiveMinutes, 62 * SECOND, &counters);
        let span = span.expect("warm by now");
        assert_eq!((span.counts.lookups(), span.counts.hits()), (1, 1));
    }
}
