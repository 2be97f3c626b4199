//! How long the origin may take.

use std::time::Duration;

/// What a class or a layer says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// After this, what is stale answers, and the fetch goes on.
    pub(crate) soft: Option<Duration>,
    /// After this the fetch ends.
    pub(crate) hard: Option<Duration>,
}

impl Timeouts {
    /// Each where it is given, else the other's.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            soft: self.soft.or(other.soft),
            hard: self.hard.or(other.hard),
        }
    }

    pub(crate) fn check(self) -> Result<(), &'static str> {
        if self.hard.is_some_and(|hard| hard.is_zero()) {
            return Err("its hard time-out is zero: nothing could be fetched");
        }
        if let (Some(soft), Some(hard)) = (self.soft, self.hard)
            && soft >= hard
        {
            return Err("its soft time-out is not shorter than its hard one");
        }
        Ok(())
    }
}
