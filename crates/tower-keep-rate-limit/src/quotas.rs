//! Quotas that differ from key to key, as they were last heard of.

use std::{fmt, future::Future, time::Duration};

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
        heard.is_fresh().then_some(heard.quota)
    }

    /// The quota of a bucket, asked for unless it was lately; once, however many want to know. While one asks
    /// again, and if that fails, what was said before holds.
    pub(crate) async fn heard(
        &self,
        bucket: Key,
        ask: impl Future<Output = Result<Option<Quota>, StoreError>>,
    ) -> Option<Quota> {
        match self.0.get_value_or_guard_async(&bucket).await {
            Ok(heard) if heard.is_fresh() => heard.quota,
            Ok(before) => {
                self.put(bucket, before.quota);
                let quota = ask.await.unwrap_or(before.quota);
                self.put(bucket, quota);
                quota
            }
            Err(first) => {
                let quota = ask.await.unwrap_or(None);
                // Whoever forgot it meanwhile asks again.
                let _ = first.insert(Heard::now(quota));
                quota
            }
        }
    }

    fn put(&self, bucket: Key, quota: Option<Quota>) {
        self.0.insert(bucket, Heard::now(quota));
    }

    pub(crate) fn forget(&self, bucket: &Key) {
        self.0.remove(bucket);
    }
}

impl Heard {
    fn now(quota: Option<Quota>) -> Self {
        let at = Instant::now();
        Self { quota, at }
    }

    fn is_fresh(&self) -> bool {
        self.at.elapsed() < FRESH
    }
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Quotas").field(&self.0.len()).finish()
    }
}

/// Reads the quota that was stored for a bucket. What is not one counts as none.
///
/// # Errors
///
/// The store failed.
pub(crate) async fn stored(store: &Store, key: &Key) -> Result<Option<Quota>, StoreError> {
    let bytes = store.get(key).await?;
    let text = bytes
        .as_deref()
        .and_then(|bytes| std::str::from_utf8(bytes).ok());
    Ok(text.and_then(Quota::parse))
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
