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
        Used {
            units: used.units.saturating_add(units).min(self.limit),
            ..used
        }
    }

    pub(super) fn refund(&self, used: Used, now: u64, units: u64) -> Used {
        let used = self.current(used, now);
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

    /// What counts now. A window that has not begun yet is from another clock, and counts as this one.
    fn current(&self, used: Used, now: u64) -> Used {
        let index = now / self.window;
        Used {
            index,
            units: if used.index < index { 0 } else { used.units },
        }
    }
}
