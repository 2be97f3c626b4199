//! When: by the log, and by what this process knew of it.

/// The point of the log that a process had reached when a fetch began. An entry keeps it for life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Which life of the log; 0 if none was known yet.
    pub epoch: u64,
    /// The last record that had been applied.
    pub position: u64,
}

/// When somebody asked, as far as this process knew the log then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The table's generation: changes so far, doubts included.
    pub(super) generation: u64,
    /// Which of those of one generation this is, while a change is announced; 0 otherwise.
    pub(super) order: u64,
    pub(super) stamp: Stamp,
    /// Something had been invalidated here that did not stand in the log yet.
    pub(super) in_doubt: bool,
}

impl Moment {
    /// When a fetch began that another process made: all that is known of it is where the log stood there.
    #[must_use]
    pub fn elsewhere(stamp: Stamp) -> Self {
        Self {
            generation: ELSEWHERE,
            order: 0,
            stamp,
            in_doubt: false,
        }
    }

    /// One that comes after all others of its generation so far.
    pub(in crate::log) fn in_order(self, order: u64) -> Self {
        Self { order, ..self }
    }

    /// The point of the log that had been reached.
    #[must_use]
    pub fn stamp(self) -> Stamp {
        self.stamp
    }
}

/// The generation of what was fetched in another process, whose generations are not ours.
pub(super) const ELSEWHERE: u64 = u64::MAX;
