//! This moment, by both clocks, read once: a hit is judged by either, and reading them is much of what it costs.

use tokio::time::Instant;
use tower_keep_store::{Clock, InvalidationLog, Timestamp};

/// This moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Present {
    /// For lifetimes, which other processes share.
    pub(crate) time: Timestamp,
    /// For what must not depend on who sets the time of day.
    instant: Instant,
}

impl Present {
    pub(crate) fn by(clock: &Clock) -> Self {
        let instant = Instant::now();
        Self {
            time: clock.at(instant.into_std()),
            instant,
        }
    }

    /// With the time of day that was read already.
    pub(crate) fn at(time: Timestamp) -> Self {
        Self {
            time,
            instant: Instant::now(),
        }
    }

    /// Whether the log was heard not too long ago.
    pub(crate) fn has_current(self, log: &InvalidationLog) -> bool {
        log.is_current_at(self.instant)
    }
}
