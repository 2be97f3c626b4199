//! Entries that went before anybody took them away.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts, since the start, of entries that this process let go: all first levels and the embedded store of a
/// namespace together.
///
/// What makes room while it could still be used is *evicted*; what is past its time when it is found or makes
/// room has *expired*. What was invalidated, replaced or removed is neither.
#[derive(Debug, Default)]
pub struct Evictions([Counts; 2]);

/// Where entries are kept in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Level {
    /// The caches' first levels.
    First,
    /// The embedded store.
    Embedded,
}

#[derive(Debug, Default)]
struct Counts {
    evicted: AtomicU64,
    expired: AtomicU64,
}

impl Level {
    /// Both.
    pub const ALL: [Self; 2] = [Self::First, Self::Embedded];

    /// The word for it in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Embedded => "embedded",
        }
    }
}

impl Evictions {
    /// Counts an entry that made room for another.
    pub fn made_room(&self, level: Level, is_expired: bool) {
        if is_expired {
            self.found_expired(level);
        } else {
            let evicted = &self.0[level as usize].evicted;
            evicted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts an entry that was found past its time.
    pub fn found_expired(&self, level: Level) {
        let expired = &self.0[level as usize].expired;
        expired.fetch_add(1, Ordering::Relaxed);
    }

    /// Entries that were evicted.
    #[must_use]
    pub fn evicted(&self, level: Level) -> u64 {
        self.0[level as usize].evicted.load(Ordering::Relaxed)
    }

    /// Entries that have expired.
    #[must_use]
    pub fn expired(&self, level: Level) -> u64 {
        self.0[level as usize].expired.load(Ordering::Relaxed)
    }
}
