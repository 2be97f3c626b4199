//! What makes room in the first level.

use std::sync::Arc;

use quick_cache::Lifecycle;
use tower_keep_store::{Clock, Evictions, Level, Store};

use super::entry::Entry;

/// Counts it.
#[derive(Clone, Debug)]
pub(crate) struct Departing {
    clock: Clock,
    evictions: Arc<Evictions>,
}

impl Departing {
    pub(crate) fn of(store: &Store) -> Self {
        Self {
            clock: store.clock().clone(),
            evictions: store.evictions().clone(),
        }
    }
}

impl<V> Lifecycle<Box<[u8]>, Arc<Entry<V>>> for Departing {
    /// What has gone, to be dropped after the lock.
    type RequestState = Option<(Box<[u8]>, Arc<Entry<V>>)>;

    fn begin_request(&self) -> Self::RequestState {
        None
    }

    /// Not called for what is replaced.
    fn before_evict(&self, _: &mut Self::RequestState, _: &Box<[u8]>, entry: &mut Arc<Entry<V>>) {
        let is_expired = entry.meta.useless_at() <= self.clock.now();
        self.evictions.made_room(Level::First, is_expired);
    }

    fn on_evict(&self, gone: &mut Self::RequestState, key: Box<[u8]>, entry: Arc<Entry<V>>) {
        *gone = Some((key, entry));
    }
}
