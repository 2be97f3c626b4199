//! The fixed window: a counter from one full window to the next.

use std::num::NonZeroU32;

/// A limit per calendar window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Window {
    limit: u64,
    window: u64,
}

/// What was used in the window of this number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Used {
    pub(crate) index: u64,
    pub(crate) units: u64,
}

impl Window {
    pub(crate) fn new(limit: NonZeroU32, window: u64) -> Self {
        Self {
            limit: u64::from(limit.get()),
            window,
        }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn window(&self) -> u64 {
        self.window
    }

    pub(super) fn available(&self, used: Used, now: u64) -> u64 {
        self.limit.saturating_sub(self.current(used, now).units)
    }

    pub(super) fn charge(&self, used: Used, now: u64, units: u64) -> Used {
        let used = self.current(used, now);
        // More than the limit is used where that was higher before: it stays.
        let most = self.limit.max(used.units);
        Used {
            units: used.units.saturating_add(units).min(most),
            ..used
        }
    }

    pub(super) fn refund(&self, used: Used, now: u64, units: u64, back: u64) -> Used {
        let used = self.current(used, now);
        // By a clock that stepped back the next window may have begun already: they are not of that one.
        let is_theirs = used.index < back / self.window;
        let units = if is_theirs { units } else { 0 };
        Used {
            units: used.units.saturating_sub(units),
            ..used
        }
    }

    pub(super) fn wait(&self, used: Used, now: u64, units: u64) -> u64 {
        let used = self.current(used, now);
        if used.units + units.min(self.limit) <= self.limit {
            return 0;
        }
        (used.index + 1) * self.window - now
    }

    /// Whether this can be a state by the clock that says `now`, give or take a window.
    pub(super) fn is_plausible(&self, used: Used, now: u64) -> bool {
        used.index <= now / self.window + 1
    }

    /// What counts now. The next window has begun already if it was once seen to: a clock that steps back a
    /// little opens no window anew. One that lies further ahead is from another clock, and counts as this one.
    fn current(&self, used: Used, now: u64) -> Used {
        let index = now / self.window;
        match used.index {
            before if before < index => Used { index, units: 0 },
            _ if self.is_plausible(used, now) => used,
            _ => Used { index, ..used },
        }
    }
}
