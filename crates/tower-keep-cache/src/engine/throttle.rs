//! An origin that failed is left alone for a while.

use std::{fmt, time::Duration};

use quick_cache::sync::Cache;
use tower_keep_store::Timestamp;

use super::entry::Entry;

/// Entries whose refresh failed, or is under way. By key, not in the entry: one that is kept in the store only
/// is read anew by each request.
pub(crate) struct Throttle(Cache<Box<[u8]>, Pause>);

#[derive(Clone, Copy)]
struct Pause {
    /// Which entry of the key: what replaces it begins anew.
    received: Timestamp,
    until: Timestamp,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self(Cache::new(MOST_PAUSES))
    }

    /// Puts the next refresh off.
    pub(crate) fn pause<V>(&self, entry: &Entry<V>, now: Timestamp) {
        let pause = Pause {
            received: entry.meta.received,
            until: now + RETRY_PAUSE,
        };
        self.0.insert(entry.key.clone(), pause);
    }

    pub(crate) fn admits<V>(&self, entry: &Entry<V>, now: Timestamp) -> bool {
        let pause = self.0.get(&*entry.key);
        pause.is_none_or(|pause| pause.received != entry.meta.received || pause.until <= now)
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Throttle").field(&self.0.len()).finish()
    }
}

/// How long a dead origin is left alone by the refreshes of one entry.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Keys of which that is remembered; of others a refresh may be tried again sooner.
const MOST_PAUSES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::{super::envelope::tests::entry, *};

    #[test]
    fn one_entry_is_left_alone_for_a_second_and_what_replaces_it_is_not() {
        let throttle = Throttle::new();
        let now = Timestamp::from_secs(9);
        let failed = entry(b"k", ());
        assert!(throttle.admits(&failed, now));
        throttle.pause(&failed, now);
        assert!(!throttle.admits(&failed, now));
        assert!(!throttle.admits(&entry(b"k", ()), now), "read anew");
        assert!(throttle.admits(&entry(b"other", ()), now));
        assert!(throttle.admits(&failed, now + RETRY_PAUSE));
        let mut replaced = entry(b"k", ());
        replaced.meta.received = now;
        assert!(throttle.admits(&replaced, now));
    }
}
