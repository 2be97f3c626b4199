//! Quotas that differ from key to key, as they were last heard of.

use std::{fmt, time::Duration};

use bytes::Bytes;
use quick_cache::sync::Cache;
use tokio::time::Instant;
use tower_keep_store::{Key, Store, StoreError};

use crate::quota::Quota;

/// What was said of keys within the last second.
pub(crate) struct Quotas(Cache<Key, Heard>);

#[derive(Clone, Copy)]
struct Heard {
    quota: Option<Quota>,
    at: Instant,
}

impl Quotas {
    pub(crate) fn new() -> Self {
        Self(Cache::new(MOST_KEYS))
    }

    /// What was said of a bucket's quota, if it was lately.
    #[allow(clippy::option_option)] // not heard of; none of its own; one
    pub(crate) fn get(&self, bucket: &Key) -> Option<Option<Quota>> {
        let heard = self.0.get(bucket)?;
        (heard.at.elapsed() < FRESH).then_some(heard.quota)
    }

    pub(crate) fn put(&self, bucket: Key, quota: Option<Quota>) {
        let at = Instant::now();
        self.0.insert(bucket, Heard { quota, at });
    }

    pub(crate) fn forget(&self, bucket: &Key) {
        self.0.remove(bucket);
    }
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Quotas").field(&self.0.len()).finish()
    }
}

/// Reads the quota that was stored for a bucket. What is not one counts as none, and so does a store that
/// fails: the policy's own quota holds then.
pub(crate) async fn stored(store: &Store, key: &Key) -> Option<Quota> {
    let bytes = store.get(key).await.ok().flatten()?;
    Quota::parse(std::str::from_utf8(&bytes).ok()?)
}

/// Stores a quota for as long as it is to hold, or takes it away.
pub(crate) async fn store_quota(
    store: &Store,
    key: &Key,
    quota: Option<Quota>,
    lasts: Duration,
) -> Result<(), StoreError> {
    match quota {
        Some(quota) => store.put(key, Bytes::from(quota.text()), lasts).await,
        None => store.remove(key).await,
    }
}

/// How long a quota is believed without asking again.
const FRESH: Duration = Duration::from_secs(1);

const MOST_KEYS: usize = 16 * 1024;
