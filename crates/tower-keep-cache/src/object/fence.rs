//! From when on a value counts.

use tower_keep_store::Moment;

/// A moment before a change or a read, from which on nothing may have been invalidated if a value made
/// since then is to be stored.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Fence(Moment);

impl Fence {
    pub(crate) fn at(moment: Moment) -> Self {
        Self(moment)
    }

    pub(crate) fn moment(self) -> Moment {
        self.0
    }
}
