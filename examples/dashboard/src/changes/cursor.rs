//! How far the cache has been told.

use std::time::Duration;

use tower_keep::{Store, types::Key};

/// The number of the last change of which everything in a store has been told. It stands beside what it is
/// about: a store that lost it has most likely lost the rest as well, and another store has its own.
///
/// Of several processes any may write it last, since each tells everything: one that is behind leaves a number
/// that is too small, and something is told twice.
pub(super) struct Cursor {
    store: Store,
    key: Key,
}

impl Cursor {
    /// The one of the database with this history.
    pub(super) fn new(store: Store, history: &[u8]) -> Self {
        let key = Key::new("told", history);
        Self { store, key }
    }

    /// None if the store does not know, or does not answer.
    pub(super) async fn read(&self) -> Option<i64> {
        let found = self.store.get(&self.key).await.ok()??;
        Some(i64::from_be_bytes(found.as_ref().try_into().ok()?))
    }

    /// Costs one `SET`. If it fails, something will be told twice.
    pub(super) async fn write(&self, number: i64) {
        let value = number.to_be_bytes().to_vec().into();
        let _told_twice = self.store.put(&self.key, value, KEPT).await;
    }
}

/// Longer than anything is cached.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
