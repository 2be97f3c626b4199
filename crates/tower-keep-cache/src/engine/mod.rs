//! Two levels, one log, one fetch per key: what `CacheLayer` and `ObjectCache` have in common.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter, sync::Cache};
use tokio::sync::Semaphore;
use tower_keep_store::{
    InvalidationLog, Key, Level, Mode, Stamp, Store, StoreError, Target, Timestamp,
};

use self::{
    alive::Alive,
    background::{Background, Task},
    departing::Departing,
    early::Lots,
    entry::{Entry, Usability},
    envelope::Value,
    flight::Flights,
    throttle::Throttle,
};

mod alive;
pub(crate) mod background;
pub(crate) mod change;
mod departing;
pub(crate) mod early;
pub(crate) mod entry;
pub(crate) mod envelope;
pub(crate) mod flight;
mod refreshing;
pub(crate) mod strict;
mod throttle;
pub(crate) mod timeouts;

/// The levels and the flights of one kind of value.
#[derive(Debug)]
pub(crate) struct Engine<V> {
    store: Store,
    /// The first part of the keys in the store.
    kind: &'static str,
    first: First<V>,
    pub(crate) flights: Arc<Flights<V>>,
    counts: Counts,
    writes: Arc<Semaphore>,
    refreshes: Arc<Semaphore>,
    alive: Alive,
    lots: Lots,
    throttle: Throttle,
    pub(crate) background: Background,
}

type First<V> = Cache<Box<[u8]>, Arc<Entry<V>>, ByWeight, DefaultHashBuilder, Departing>;

/// What an operator may want to know. All since start.
#[derive(Debug, Default)]
struct Counts {
    unreadable: AtomicU64,
    unwritten: AtomicU64,
    failed_reads: AtomicU64,
    unknown_events: AtomicU64,
    unlabelled: AtomicU64,
    unrefreshed: AtomicU64,
}

/// Counters of a cache since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Entries in the first level.
    pub entries: u64,
    /// Their bytes, keys and bookkeeping included.
    pub bytes: u64,
    /// Fetches under way.
    pub in_flight: u64,
    /// Records of the store that were not entries of ours: cut, altered, of another version or key.
    /// Each was a miss.
    pub unreadable: u64,
    /// Entries that did not reach the store: it failed, or too many writes were under way.
    pub unwritten: u64,
    /// Reads that the store did not answer. Each was a miss.
    pub failed_reads: u64,
    /// [Changes](crate::Changed) of a kind that no [rule](crate::Rules) names. They invalidated nothing.
    pub unknown_events: u64,
    /// Responses that were not stored because they named more than 64 tags and groups, or had a `Cache-Groups`
    /// that cannot be read: they could not have been invalidated reliably.
    pub unlabelled: u64,
    /// Fetches in the background that did not begin: too many were under way. What they would have refreshed
    /// answers on for its time, and a later request tries again.
    pub unrefreshed: u64,
}

#[derive(Clone, Debug)]
struct ByWeight;

impl<V: Value> Weighter<Box<[u8]>, Arc<Entry<V>>> for ByWeight {
    fn weight(&self, _: &Box<[u8]>, entry: &Arc<Entry<V>>) -> u64 {
        // The key stands in the map and in the entry.
        let targets = 8 * entry.meta.targets.len();
        (2 * entry.key.len() + targets + entry.value.weight()) as u64 + ENTRY_OVERHEAD
    }
}

impl<V: Value> Engine<V> {
    pub(crate) fn new(
        store: Store,
        kind: &'static str,
        first_level_bytes: u64,
        patience: Duration,
        background: Background,
    ) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity((first_level_bytes / 4096).clamp(64, 1 << 18) as usize)
            .weight_capacity(first_level_bytes)
            // Each shard holds an eighth, so that is the largest entry.
            .shards(8)
            .build()
            .expect("every option is given");
        // Follow the log from the start, so that the first request finds it current.
        let _followed = store.log();
        let departing = Departing::of(&store);
        Self {
            store,
            kind,
            first: Cache::with_options(options, ByWeight, Default::default(), departing),
            flights: Arc::new(Flights::new(patience)),
            counts: Counts::default(),
            writes: Arc::new(Semaphore::new(MOST_WRITES)),
            refreshes: Arc::new(Semaphore::new(MOST_REFRESHES)),
            alive: Alive::default(),
            lots: Lots::new(),
            throttle: Throttle::new(),
            background,
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn log(&self) -> &InvalidationLog {
        self.store.log()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    /// What has passed, for telling how long something takes.
    pub(crate) fn passed(&self) -> Duration {
        self.store.clock().passed()
    }

    /// Looks into the first level.
    pub(crate) fn first(&self, key: &[u8], now: Timestamp) -> Option<(Arc<Entry<V>>, Usability)> {
        let entry = self.first.get(key)?;
        let usability = entry.usability(self.log(), now);
        if usability == Usability::Not && self.log().is_current() {
            // Only this one: another may have taken its place meanwhile.
            let is_this = |present: &Arc<Entry<V>>| Arc::ptr_eq(present, &entry);
            let is_gone = self.first.remove_if(key, is_this).is_some();
            if is_gone && entry.meta.useless_at() <= now {
                self.store.evictions().found_expired(Level::First);
            }
        }
        (usability != Usability::Not).then_some((entry, usability))
    }

    /// Looks into the store, and keeps what it finds in the first level. One round trip.
    pub(crate) async fn second(&self, key: &[u8]) -> Option<(Arc<Entry<V>>, Usability)> {
        let record = self.read(key).await;
        self.take_in(key, record)
    }

    pub(crate) async fn read(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.store.get(&self.name(key)).await
    }

    /// Judges what the store had under `key`, and keeps it in the first level.
    pub(crate) fn take_in(
        &self,
        key: &[u8],
        record: Result<Option<Bytes>, StoreError>,
    ) -> Option<(Arc<Entry<V>>, Usability)> {
        let record = match record {
            Ok(record) => record?,
            Err(_) => {
                self.counts.failed_reads.fetch_add(1, Ordering::Relaxed);
                return None;
            }
        };
        let Some(entry) = envelope::decode(record, key) else {
            self.counts.unreadable.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("a record of the store is not an entry of this cache: taken as a miss");
            return None;
        };
        let entry = self.newest(Arc::new(entry));
        let usability = entry.usability(self.log(), self.now());
        if usability == Usability::Not {
            return None;
        }
        self.keep(&entry);
        Some((entry, usability))
    }

    /// Stores an entry: at once here, in the background in the store.
    pub(crate) fn insert(self: &Arc<Self>, entry: Entry<V>) -> Arc<Entry<V>> {
        let entry = Arc::new(entry);
        if entry.meta.stamp == Stamp::default() {
            // The log is not known yet: nobody could ever tell whether it is valid.
            return entry;
        }
        self.keep(&entry);
        if entry.meta.store && !(self.store.is_embedded() && entry.meta.first_level) {
            self.write(entry.clone());
        }
        entry
    }

    /// Takes an entry away. Not an invalidation: others may still have it.
    pub(crate) fn remove(self: &Arc<Self>, key: &[u8]) {
        self.first.remove(key);
        let engine = self.clone();
        let name = self.name(key);
        self.background.spawn(Task::Write, async move {
            let _gone_or_expires = engine.store.remove(&name).await;
        });
    }

    pub(crate) fn stats(&self) -> CacheStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CacheStats {
            entries: self.first.len() as u64,
            bytes: self.first.weight(),
            in_flight: self.flights.len() as u64,
            unreadable: read(&self.counts.unreadable),
            unwritten: read(&self.counts.unwritten),
            failed_reads: read(&self.counts.failed_reads),
            unrefreshed: read(&self.counts.unrefreshed),
            unknown_events: read(&self.counts.unknown_events),
            unlabelled: read(&self.counts.unlabelled),
        }
    }

    /// Invalidates all of these together: in force here at once, everywhere soon after this is `Ok`.
    pub(crate) async fn append(&self, changes: &[(Target, Mode)]) -> Result<(), StoreError> {
        let deadline = self.store.step_deadline();
        self.log().append_each(changes, deadline).await?;
        Ok(())
    }

    /// Resolves when the engine is gone.
    pub(crate) fn ends(&self) -> impl Future<Output = ()> + Send + use<V> {
        self.alive.ends()
    }

    /// Returns how many there have been.
    pub(crate) fn count_unknown_event(&self) -> u64 {
        self.counts.unknown_events.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn count_unlabelled(&self) {
        self.counts.unlabelled.fetch_add(1, Ordering::Relaxed);
    }

    /// What was stored here a moment ago may not have reached the store yet. And what is here already need not
    /// be there twice.
    fn newest(&self, read: Arc<Entry<V>>) -> Arc<Entry<V>> {
        match self.first.get(&*read.key) {
            Some(present) if present.meta.received > read.meta.received => present,
            Some(present) if present.meta.is_same_fetch(&read.meta) => present,
            _ => read,
        }
    }

    fn keep(&self, entry: &Arc<Entry<V>>) {
        if entry.meta.first_level {
            self.first.insert(entry.key.clone(), entry.clone());
        }
    }

    fn write(self: &Arc<Self>, entry: Arc<Entry<V>>) {
        let Ok(permit) = self.writes.clone().try_acquire_owned() else {
            self.counts.unwritten.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let engine = self.clone();
        let begins = self.background.spawn(Task::Write, async move {
            let _permit = permit;
            if !engine.write_now(&entry).await {
                engine.counts.unwritten.fetch_add(1, Ordering::Relaxed);
            }
        });
        if !begins {
            self.counts.unwritten.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn write_now(&self, entry: &Entry<V>) -> bool {
        let ttl = entry.meta.useless_at().since(self.now());
        let Some(record) = envelope::encode(entry) else {
            return false;
        };
        ttl.is_zero()
            || self
                .store
                .put(&self.name(&entry.key), record, ttl)
                .await
                .is_ok()
    }

    fn name(&self, key: &[u8]) -> Key {
        Key::new(self.kind, key)
    }
}

/// What an entry costs beyond its key and value.
const ENTRY_OVERHEAD: u64 = 256;

/// Fetches in the background under way at one time. What finds no room is refreshed by a later request.
const MOST_REFRESHES: usize = 64;

/// Writes into the store under way at one time.
const MOST_WRITES: usize = 256;
