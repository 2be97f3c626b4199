//! What a policy allows.

use std::{num::NonZeroU32, time::Duration};

use tower_keep_store::ConfigError;

use crate::rule::{Gcra, Ring, Rule, Slots, Window};

/// How much is allowed: so many units in a window, counted in one of four ways.
///
/// | | at most | forgets | suits |
/// |---|---|---|---|
/// | [`new`](Self::new) | `burst` at once, and one more each `window / limit`: in any time *t* no more than `burst + t·limit/window` | evenly | nearly everything |
/// | [`strict`](Self::strict) | `limit` in *any* window | in sixteenths of a window | a bound that somebody else enforces |
/// | [`fixed_window`](Self::fixed_window) | `limit` from one full minute, hour, day (UTC) to the next | all at once | quotas that match a calendar |
/// | [`concurrent`](Self::concurrent) | `limit` at the same time | when a response has ended | slow or expensive work |
///
/// ```
/// # use std::time::Duration;
/// # use tower_keep_rate_limit::Quota;
/// let usual = Quota::per_minute(100);
/// let bursts = Quota::per_second(10).burst(50);
/// let calendar = Quota::per_day(10_000).fixed_window();
/// # let _ = (usual, bursts, calendar);
/// ```
///
/// Nonsense (a limit of 0, a window under a millisecond, both strict and by the calendar) is found when the
/// layer is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct Quota {
    limit: u32,
    window: Duration,
    burst: Option<u32>,
    counting: Counting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Counting {
    Gcra,
    Strict,
    Fixed,
    Concurrent,
    /// In two ways at once, which is none.
    Contradictory,
}

impl Counting {
    /// The way that was asked for, unless another one was before.
    const fn and(self, asked: Self) -> Self {
        match (self, asked) {
            (Self::Gcra, _) | (Self::Strict, Self::Strict) | (Self::Fixed, Self::Fixed) => asked,
            _ => Self::Contradictory,
        }
    }
}

impl Quota {
    /// `limit` units in each `window`, by the generic cell rate algorithm (ITU-T I.371): what was used
    /// comes back one by one, `window / limit` apart, and never more than the [burst](Self::burst) is
    /// saved up. So twice the limit, less one, can pass within the first window; where that is too much, see
    /// [`strict`](Self::strict).
    pub const fn new(limit: u32, window: Duration) -> Self {
        Self {
            limit,
            window,
            burst: None,
            counting: Counting::Gcra,
        }
    }

    /// `limit` units in each second.
    pub const fn per_second(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(1))
    }

    /// `limit` units in each minute. Of 100, say, 100 at once and then one each 0.6 s: up to 199 in the first
    /// minute.
    pub const fn per_minute(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(60))
    }

    /// `limit` units in each hour.
    pub const fn per_hour(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(3600))
    }

    /// `limit` units in each day.
    pub const fn per_day(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(24 * 3600))
    }

    /// `limit` requests at the same time. A slot is held until the response's body has ended or was
    /// dropped (at once, therefore, for an upgrade: a WebSocket holds none); the slots of a process that died
    /// are free 30 seconds later.
    ///
    /// When a slot is free again nobody knows. The `Retry-After` of 1 second is a guess, and so is
    /// [`retry_after`](crate::PolicyStatus::retry_after); the `RateLimit` field says no time at all.
    pub const fn concurrent(limit: u32) -> Self {
        Self {
            limit,
            window: SLOT_LEASE,
            burst: None,
            counting: Counting::Concurrent,
        }
    }

    /// How many units may be used at once. Default: `limit`. Only for quotas that forget evenly.
    pub const fn burst(mut self, units: u32) -> Self {
        self.burst = Some(units);
        self
    }

    /// Never more than `limit` in *any* window, wherever it begins. A unit comes back between one window
    /// and one sixteenth of a window more after it was used, so whoever keeps asking gets at least 16/17 of
    /// the limit.
    pub const fn strict(mut self) -> Self {
        self.counting = self.counting.and(Counting::Strict);
        self
    }

    /// Counts from one full window to the next, beginning with 1970 in UTC. Twice the limit can be used
    /// around a boundary.
    pub const fn fixed_window(mut self) -> Self {
        self.counting = self.counting.and(Counting::Fixed);
        self
    }

    /// Units in a window.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// The window; for [`concurrent`](Self::concurrent) quotas how long the slots of a dead process stay
    /// taken.
    #[must_use]
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// The most units that can be used at once.
    #[must_use]
    pub const fn most_at_once(&self) -> u32 {
        match self.burst {
            Some(units) => units,
            None => self.limit,
        }
    }

    pub(crate) const fn is_concurrent(&self) -> bool {
        matches!(self.counting, Counting::Concurrent)
    }

    /// Writes it down for others to [read](Self::parse).
    pub(crate) fn text(&self) -> String {
        let counting = match self.counting {
            Counting::Gcra => 'g',
            Counting::Strict => 's',
            Counting::Fixed => 'f',
            Counting::Concurrent => 'c',
            // Never stored: it is no rule.
            Counting::Contradictory => '-',
        };
        let (limit, window) = (self.limit, self.window.as_micros());
        match self.burst {
            Some(burst) => format!("{counting} {limit} {window} {burst}"),
            None => format!("{counting} {limit} {window}"),
        }
    }

    /// Reads what [`text`](Self::text) wrote; nothing if it is not that.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let counting = match words.next()? {
            "g" => Counting::Gcra,
            "s" => Counting::Strict,
            "f" => Counting::Fixed,
            "c" => Counting::Concurrent,
            _ => return None,
        };
        let limit = words.next()?.parse().ok()?;
        let window = Duration::from_micros(words.next()?.parse().ok()?);
        let burst = words.next().map(str::parse).transpose().ok()?;
        let is_whole = words.next().is_none();
        is_whole.then_some(Self {
            limit,
            window,
            burst,
            counting,
        })
    }

    /// The arithmetic of it.
    pub(crate) fn rule(&self) -> Result<Rule, ConfigError> {
        let limit = NonZeroU32::new(self.limit)
            .ok_or_else(|| ConfigError::new("a limit of 0 would refuse every request"))?;
        // A fraction of a microsecond makes it longer, not shorter.
        let window = self.window.as_nanos().div_ceil(1000);
        let window = u64::try_from(window).unwrap_or(u64::MAX);
        if window < MICROS_PER_MILLI {
            return Err(ConfigError::new("a window is at least a millisecond long"));
        }
        if window > LONGEST_WINDOW {
            return Err(ConfigError::new("a window is at most 366 days long"));
        }
        match (self.counting, self.burst) {
            (Counting::Contradictory, _) => Err(ConfigError::new(
                "a quota is one of strict, fixed_window and concurrent, not two of them",
            )),
            (_, Some(0)) => Err(ConfigError::new("a burst of 0 would refuse every request")),
            (Counting::Gcra, _) => {
                let burst = NonZeroU32::new(self.most_at_once()).unwrap_or(limit);
                if u128::from(window) * u128::from(burst.get())
                    > u128::from(LONGEST_WINDOW) * u128::from(limit.get())
                {
                    return Err(ConfigError::new(
                        "a burst that takes more than 366 days to come back is none",
                    ));
                }
                Ok(Rule::Gcra(Gcra::new(limit, window, burst)))
            }
            (_, Some(_)) => Err(ConfigError::new(
                "a burst is for quotas that forget evenly: not with strict, fixed_window or concurrent",
            )),
            (Counting::Strict, None) => Ok(Rule::Ring(Ring::new(limit, window))),
            (Counting::Fixed, None) => Ok(Rule::Window(Window::new(limit, window))),
            (Counting::Concurrent, None) => Ok(Rule::Slots(Slots::new(limit))),
        }
    }
}

const MICROS_PER_MILLI: u64 = 1000;

/// A leap year, in microseconds.
const LONGEST_WINDOW: u64 = 366 * 24 * 3600 * 1_000_000;

/// How long the slots of a process that died stay taken. It renews them three times in that time.
pub(crate) const SLOT_LEASE: Duration = Duration::from_secs(30);
