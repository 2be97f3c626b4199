//! The time of day, injected so that no test has to sleep.

use std::{
    fmt,
    ops::{Add, Sub},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Where the layers read the time of day.
///
/// Lifetimes are judged by wall-clock time, because entries are shared between processes; deadlines
/// of store steps are not, they use the runtime's own timer.
#[derive(Clone, Default)]
pub struct Clock {
    manual: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The operating system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still until it is [advanced](Self::advance). Clones share the hands.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self {
            manual: Some(Arc::new(AtomicU64::new(start.0))),
        }
    }

    /// Whether it stands still until it is [advanced](Self::advance).
    #[must_use]
    pub fn is_manual(&self) -> bool {
        self.manual.is_some()
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.manual {
            Some(hands) => Timestamp(hands.load(Ordering::Acquire)),
            None => SystemTime::now().into(),
        }
    }

    /// The present moment, for whoever has just read the monotonic clock for something else: costs no second
    /// reading. What is set by the system's administrator is heard of within 10 ms.
    #[must_use]
    pub fn at(&self, instant: Instant) -> Timestamp {
        match &self.manual {
            Some(_) => self.now(),
            None => ANCHOR.time_at(instant),
        }
    }

    /// The time since some moment, for telling how long something takes: unlike [the time of day](Self::now)
    /// nobody sets it. Of a manual clock it is what its hands say.
    #[must_use]
    pub fn passed(&self) -> Duration {
        match &self.manual {
            Some(_) => self.now().since(Timestamp::default()),
            None => START.elapsed(),
        }
    }

    /// Moves a manual clock forward; the system clock is not ours to move.
    ///
    /// # Panics
    ///
    /// On a [system](Self::system) clock: a test that believes it moved time must not pass.
    pub fn advance(&self, by: Duration) {
        self.manual
            .as_ref()
            .expect("only a manual clock can be advanced")
            .fetch_add(micros(by), Ordering::AcqRel);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_manual() {
            "Clock::manual"
        } else {
            "Clock::system"
        })
    }
}

/// A moment: whole microseconds since the Unix epoch. Arithmetic saturates at both ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment this many microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The moment this many seconds after the Unix epoch.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time passed since `earlier`; zero if that lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(micros(rhs)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(micros(rhs)))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, micros))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_micros(time.0)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// When this process first asked what has passed.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

static ANCHOR: Anchor = Anchor::new();

/// What the time of day was at [`START`], by a recent look at both clocks.
struct Anchor {
    /// Microseconds since the epoch; 0 before the first look.
    start: AtomicU64,
    /// Microseconds from the start to that look.
    looked: AtomicU64,
}

impl Anchor {
    const fn new() -> Self {
        Self {
            start: AtomicU64::new(0),
            looked: AtomicU64::new(0),
        }
    }

    fn time_at(&self, instant: Instant) -> Timestamp {
        let passed = micros(instant.saturating_duration_since(*START));
        let start = self.start.load(Ordering::Relaxed);
        let looked = self.looked.load(Ordering::Relaxed);
        if start != 0 && passed.saturating_sub(looked) < LOOK_EVERY {
            return Timestamp(start.saturating_add(passed));
        }
        self.look()
    }

    /// Reads both clocks. A look that was held up in between tells nothing of how they stand to each other.
    fn look(&self) -> Timestamp {
        let before = START.elapsed();
        let time = Timestamp::from(SystemTime::now());
        let looked = START.elapsed();
        if looked - before < HELD_UP {
            let start = time.0.saturating_sub(micros(looked));
            self.start.store(start, Ordering::Relaxed);
            self.looked.store(micros(looked), Ordering::Relaxed);
        }
        time
    }
}

/// Microseconds.
const LOOK_EVERY: u64 = 10_000;
const HELD_UP: Duration = Duration::from_micros(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told_and_for_all_its_clones() {
        let clock = Clock::manual(Timestamp::from_secs(10));
        let other = clock.clone();
        assert_eq!(other.now(), Timestamp::from_secs(10));
        clock.advance(Duration::from_millis(1500));
        assert_eq!(other.now().as_micros(), 11_500_000);
    }

    #[test]
    fn the_time_at_an_instant_is_the_time_of_day() {
        let clock = Clock::system();
        let end = Instant::now() + Duration::from_millis(50);
        let mut looks = 0;
        while Instant::now() < end {
            // Whoever is held up between two readings looks again.
            let before = clock.now();
            let at = clock.at(Instant::now());
            let after = clock.now();
            if after.since(before) < Duration::from_micros(50) {
                looks += 1;
                let slack = HELD_UP + Duration::from_micros(2);
                assert!(
                    at + slack >= before && at <= after + slack,
                    "{at:?} between {before:?} and {after:?}"
                );
            }
        }
        assert!(looks > 0);
    }

    #[test]
    fn a_clock_that_was_set_is_believed_at_the_next_look() {
        let anchor = Anchor::new();
        let mut now = anchor.look();
        while anchor.start.load(Ordering::Relaxed) == 0 {
            now = anchor.look();
        }
        let hour = micros(Duration::from_secs(3600));
        anchor.start.fetch_add(hour, Ordering::Relaxed);
        let soon = *START + Duration::from_micros(anchor.looked.load(Ordering::Relaxed));
        assert!(anchor.time_at(soon).since(now) > Duration::from_secs(3500));
        let later = soon + Duration::from_micros(LOOK_EVERY);
        assert!(anchor.time_at(later).since(now) < Duration::from_secs(3500));
    }

    #[test]
    fn a_manual_clock_does_not_ask_what_has_passed() {
        let clock = Clock::manual(Timestamp::from_secs(10));
        let later = Instant::now() + Duration::from_secs(5);
        assert_eq!(clock.at(later), Timestamp::from_secs(10));
    }

    #[test]
    fn arithmetic_saturates() {
        let start = Timestamp::from_secs(1);
        assert_eq!(start - Duration::from_secs(2), Timestamp::default());
        assert_eq!(
            (start + Duration::MAX).since(start).as_micros(),
            u128::from(u64::MAX - 1_000_000)
        );
        assert_eq!(start.since(Timestamp::from_secs(9)), Duration::ZERO);
    }
}
