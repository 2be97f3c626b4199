//! When a target was hit last.

use super::{super::target::Mode, verdict::Verdict};

/// Last positions of one target; 0 for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::log) struct Last {
    pub(in crate::log) hard: u64,
    /// The hard one before, which is the same position if one record names the target twice.
    pub(in crate::log) hard_before: u64,
    pub(in crate::log) soft: u64,
}

impl Last {
    pub(super) fn raise(&mut self, mode: Mode, position: u64) {
        match mode {
            Mode::Hard => {
                self.hard_before = self.hard;
                self.hard = position;
            }
            Mode::Soft => self.soft = self.soft.max(position),
        }
    }

    pub(super) fn newest(self) -> u64 {
        self.hard.max(self.soft)
    }

    pub(super) fn verdict(self, position: u64) -> Verdict {
        if self.hard > position {
            Verdict::Invalid
        } else if self.soft > position {
            Verdict::Soft
        } else {
            Verdict::Valid
        }
    }
}
