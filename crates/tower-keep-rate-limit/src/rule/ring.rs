//! The strict limit: a ring of sub-windows.
//!
//! The units of a sub-window count until the whole of it is a window old. So none counts for less than a
//! window, whatever moment the window is taken to begin at: never more than the limit is used in it.

use std::num::NonZeroU32;

/// A limit in any window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ring {
    limit: u64,
    /// Microseconds in a sub-window.
    part: u64,
}

/// What was used in the latest sub-windows, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Recent {
    /// The number of the newest sub-window.
    pub(crate) index: u64,
    pub(crate) units: [u32; COUNTED],
}

/// Sub-windows in a window.
const PARTS: u64 = 16;

/// Sub-windows that count: those of a window, and the one that has just begun.
pub(crate) const COUNTED: usize = PARTS as usize + 1;

impl Ring {
    pub(crate) fn new(limit: NonZeroU32, window: u64) -> Self {
        Self {
            limit: u64::from(limit.get()),
            part: window.div_ceil(PARTS),
        }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn part(&self) -> u64 {
        self.part
    }

    pub(super) fn available(&self, recent: &Recent, now: u64) -> u64 {
        self.limit.saturating_sub(sum(&self.current(recent, now)))
    }

    pub(super) fn charge(&self, recent: &Recent, now: u64, units: u64) -> Box<Recent> {
        let mut recent = self.current(recent, now);
        let room = self.limit.saturating_sub(sum(&recent));
        let units = u32::try_from(units.min(room)).unwrap_or(u32::MAX);
        recent.units[0] = recent.units[0].saturating_add(units);
        Box::new(recent)
    }

    /// From the sub-window on in which they were used.
    pub(super) fn refund(&self, recent: &Recent, now: u64, units: u64, back: u64) -> Box<Recent> {
        let mut recent = self.current(recent, now);
        let mut left = u32::try_from(units).unwrap_or(u32::MAX);
        let used_in = (back / self.part).saturating_sub(COUNTED as u64);
        let age = usize::try_from(recent.index.saturating_sub(used_in)).unwrap_or(COUNTED);
        for units in recent.units.iter_mut().skip(age) {
            let given = left.min(*units);
            *units -= given;
            left -= given;
        }
        Box::new(recent)
    }

    pub(super) fn wait(&self, recent: &Recent, now: u64, units: u64) -> u64 {
        let recent = self.current(recent, now);
        let mut used = sum(&recent);
        let needed = units.min(self.limit);
        // From the oldest on, until enough of them are forgotten.
        for age in (0..COUNTED).rev() {
            if used + needed <= self.limit {
                let forgotten = (COUNTED - 1 - age) as u64;
                return match forgotten {
                    0 => 0,
                    _ => (recent.index + forgotten) * self.part - now,
                };
            }
            used -= u64::from(recent.units[age]);
        }
        (recent.index + COUNTED as u64) * self.part - now
    }

    /// Whether this can be a state by the clock that says `now`, give or take a window.
    pub(super) fn is_plausible(&self, recent: &Recent, now: u64) -> bool {
        recent.index <= now / self.part + PARTS
    }

    /// What counts now, by this moment's sub-window, or by a later one that was once seen to have begun: a
    /// clock that steps back a little forgets nothing. One that lies more than a window ahead is from another
    /// clock, and counts as this one.
    fn current(&self, recent: &Recent, now: u64) -> Recent {
        let mut index = now / self.part;
        if self.is_plausible(recent, now) {
            index = index.max(recent.index);
        }
        let mut current = Recent {
            index,
            units: [0; COUNTED],
        };
        let passed = usize::try_from(index.saturating_sub(recent.index)).unwrap_or(COUNTED);
        for (age, units) in recent.units.iter().enumerate() {
            if let Some(slot) = current.units.get_mut(age.saturating_add(passed)) {
                *slot = *units;
            }
        }
        current
    }
}

fn sum(recent: &Recent) -> u64 {
    recent.units.iter().map(|units| u64::from(*units)).sum()
}
