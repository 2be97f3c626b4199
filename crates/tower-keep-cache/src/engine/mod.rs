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

pub(crate) use self::present::Present;
use self::{
    alive::Alive,
    background::{Background, Task},
    departing::Departing,
    early::Lots,
    entry::{Entry, Usability},
    envelope::Value,
    flight::Flights,
    lease::{Contest, Ending, Lease, Leases, Names, Seen},
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
pub(crate) mod lease;
mod peek;
mod present;
mod refreshing;
pub(crate) mod strict;
mod throttle;
pub(crate) mod timeouts;
pub(crate) mod uncertain;

/// The levels and the flights of one kind of value.
#[derive(Debug)]
pub(crate) struct Engine<V> {
    store: Store,
    /// The first part of the keys in the store.
    kind: &'static str,
    first: First<V>,
    pub(crate) flights: Arc<Flights<V>>,
    leases: Option<Arc<Leases>>,
    counts: Counts,
    writes: Arc<Semaphore>,
    refreshes: Arc<Semaphore>,
    alive: Alive,
    lots: Lots,
    throttle: Throttle,
    pub(crate) background: Background,
}

/// What a look into the store found.
pub(crate) struct Looked<V> {
    pub(crate) found: Option<(Arc<Entry<V>>, Usability)>,
    /// What is there and must not be used any more.
    pub(crate) refused: Option<Arc<Entry<V>>>,
    /// What was there, whatever it was; nothing if the store did not answer.
    pub(crate) seen: Option<Seen>,
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
    /// Invalidations that this process has heard of, from whichever process of the namespace: targets, and the
    /// records that they came in.
    pub invalidated_targets: u64,
    /// Those records. What comes together shares one.
    pub invalidation_records: u64,
    /// [Changes](crate::Changed) of a kind that no [rule](crate::Rules) names. They invalidated nothing.
    pub unknown_events: u64,
    /// Responses that were not stored because they named more than 64 tags and groups, or had a `Cache-Groups`
    /// that cannot be read: they could not have been invalidated reliably.
    pub unlabelled: u64,
    /// Fetches in the background that did not begin: too many were under way. What they would have refreshed
    /// answers on for its time, and a later request tries again.
    pub unrefreshed: u64,
    /// [Leases](crate::Class::lease) that this process was granted, to fetch for all.
    pub leases: u64,
    /// Times that this process waited for the fetch of another.
    pub awaited: u64,
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
            kind,
            first: Cache::with_options(options, ByWeight, Default::default(), departing),
            flights: Arc::new(Flights::new(patience)),
            leases: Leases::of(&store, patience),
            counts: Counts::default(),
            writes: Arc::new(Semaphore::new(MOST_WRITES)),
            refreshes: Arc::new(Semaphore::new(MOST_REFRESHES)),
            alive: Alive::default(),
            lots: Lots::new(),
            throttle: Throttle::new(),
            background,
            store,
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

    /// This moment, for judging entries.
    pub(crate) fn present(&self) -> Present {
        Present::by(self.store.clock())
    }

    /// What has passed, for telling how long something takes.
    pub(crate) fn passed(&self) -> Duration {
        self.store.clock().passed()
    }

    /// Looks into the first level.
    pub(crate) fn first(&self, key: &[u8], now: Present) -> Option<(Arc<Entry<V>>, Usability)> {
        let entry = self.first.get(key)?;
        let usability = entry.usability_at(self.log(), now);
        if usability == Usability::Not && now.has_current(self.log()) {
            // Only this one: another may have taken its place meanwhile.
            let is_this = |present: &Arc<Entry<V>>| Arc::ptr_eq(present, &entry);
            let is_gone = self.first.remove_if(key, is_this).is_some();
            if is_gone && entry.meta.useless_at() <= now.time {
                self.store.evictions().found_expired(Level::First);
            }
        }
        (usability != Usability::Not).then_some((entry, usability))
    }

    /// Looks into the store, and keeps what it finds in the first level. One round trip.
    pub(crate) async fn second(&self, key: &[u8]) -> Option<(Arc<Entry<V>>, Usability)> {
        self.look(key).await.found
    }

    pub(crate) async fn read(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.store.get(&self.name(key)).await
    }

    /// The same, and tells what was there.
    pub(crate) async fn look(&self, key: &[u8]) -> Looked<V> {
        let record = self.read(key).await;
        self.take_in(key, record)
    }

    /// Judges what the store had under `key`, and keeps it in the first level.
    pub(crate) fn take_in(
        &self,
        key: &[u8],
        record: Result<Option<Bytes>, StoreError>,
    ) -> Looked<V> {
        let mut looked = Looked {
            found: None,
            refused: None,
            seen: Some(Seen::default()),
        };
        let record = match record {
            Ok(Some(record)) => record,
            Ok(None) => return looked,
            Err(_) => {
                self.counts.failed_reads.fetch_add(1, Ordering::Relaxed);
                looked.seen = None;
                return looked;
            }
        };
        looked.seen = Some(Seen::of(&record));
        let Some(entry) = envelope::decode(record, key) else {
            self.counts.unreadable.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("a record of the store is not an entry of this cache: taken as a miss");
            return looked;
        };
        let entry = self.newest(Arc::new(entry));
        match entry.usability(self.log(), self.now()) {
            Usability::Not => looked.refused = Some(entry),
            usability => {
                self.keep(&entry);
                looked.found = Some((entry, usability));
            }
        }
        looked
    }

    /// There will be leases: connections are to know their scripts before the first is asked for.
    pub(crate) fn expect_leases(&self) {
        if let Some(leases) = &self.leases {
            leases.prepare();
        }
    }

    /// Contends with other processes for the fetch of what was not found, with leases of this length; nothing
    /// where there are none. `flight` tells apart who may not wait for one another.
    pub(crate) fn contest(
        &self,
        key: &[u8],
        flight: &[u8],
        lease: Duration,
        seen: Seen,
    ) -> Option<Contest> {
        let leases = self.leases.clone()?;
        Some(Contest::new(leases, self.names(key, flight), lease, seen))
    }

    /// Stores an entry: at once here, in the background in the store.
    pub(crate) fn insert(self: &Arc<Self>, entry: Entry<V>) -> Arc<Entry<V>> {
        self.insert_leased(entry, None, None)
    }

    /// The same for what was fetched for all processes, with another entry that has to be there too before
    /// they are told.
    pub(crate) fn insert_leased(
        self: &Arc<Self>,
        entry: Entry<V>,
        beside: Option<Entry<V>>,
        lease: Option<Lease>,
    ) -> Arc<Entry<V>> {
        let (entry, beside) = (Arc::new(entry), beside.map(Arc::new));
        if entry.meta.stamp == Stamp::default() {
            // The log is not known yet: nobody could ever tell whether it is valid.
            if let Some(lease) = lease {
                lease.end(Ending::Released);
            }
            return entry;
        }
        let mut all: Vec<_> = [entry.clone()].into_iter().chain(beside).collect();
        all.iter().for_each(|entry| self.keep(entry));
        let is_embedded = self.store.is_embedded();
        all.retain(|entry| entry.meta.store && !(is_embedded && entry.meta.first_level));
        if !all.is_empty() {
            self.write(all, lease);
        } else if let Some(lease) = lease {
            lease.end(Ending::Apart);
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
        let heard = self.log().heard();
        let leases = self.leases.as_ref();
        let [leases, awaited] = leases.map_or([0; 2], |leases| leases.counts());
        CacheStats {
            entries: self.first.len() as u64,
            bytes: self.first.weight(),
            in_flight: self.flights.len() as u64,
            unreadable: read(&self.counts.unreadable),
            unwritten: read(&self.counts.unwritten),
            failed_reads: read(&self.counts.failed_reads),
            unrefreshed: read(&self.counts.unrefreshed),
            invalidated_targets: heard.targets,
            invalidation_records: heard.records,
            unknown_events: read(&self.counts.unknown_events),
            unlabelled: read(&self.counts.unlabelled),
            leases,
            awaited,
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

    fn write(self: &Arc<Self>, entries: Vec<Arc<Entry<V>>>, lease: Option<Lease>) {
        let Ok(permit) = self.writes.clone().try_acquire_owned() else {
            self.counts.unwritten.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let engine = self.clone();
        let begins = self.background.spawn(Task::Write, async move {
            let _permit = permit;
            let unwritten = engine.write_all(&entries, lease).await;
            engine
                .counts
                .unwritten
                .fetch_add(unwritten, Ordering::Relaxed);
        });
        if !begins {
            self.counts.unwritten.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes the entry under the lease last, and that ends the lease. Returns how many were not written.
    async fn write_all(&self, entries: &[Arc<Entry<V>>], mut lease: Option<Lease>) -> u64 {
        let leased = lease.as_ref().map(|lease| lease.names().entry);
        let (last, first): (Vec<_>, Vec<_>) = entries
            .iter()
            .partition(|entry| Some(self.name(&entry.key)) == leased);
        let mut unwritten = 0;
        for entry in first {
            unwritten += u64::from(!self.write_now(entry, None).await);
        }
        for entry in last {
            unwritten += u64::from(!self.write_now(entry, lease.take()).await);
        }
        if let Some(lease) = lease {
            // Another variant than was looked for: those who wait look for theirs.
            lease.end(if unwritten == 0 {
                Ending::Landed
            } else {
                Ending::Abandoned
            });
        }
        unwritten
    }

    async fn write_now(&self, entry: &Entry<V>, lease: Option<Lease>) -> bool {
        let ttl = entry.meta.useless_at().since(self.now());
        let record = envelope::encode(entry).filter(|_| !ttl.is_zero());
        match (record, lease) {
            (Some(record), Some(lease)) => lease.store(record, ttl).await.is_ok(),
            (Some(record), None) => {
                let name = self.name(&entry.key);
                self.store.put(&name, record, ttl).await.is_ok()
            }
            (None, lease) => {
                if let Some(lease) = lease {
                    lease.end(if ttl.is_zero() {
                        Ending::Released
                    } else {
                        Ending::Apart
                    });
                }
                ttl.is_zero()
            }
        }
    }

    /// The lease of one entry, for one sort of asker.
    fn names(&self, key: &[u8], flight: &[u8]) -> Names {
        let entry = self.name(key);
        let kind = if self.kind == "o" { "ol" } else { "cl" };
        let lease = Key::from_digest(kind, entry.digest());
        Names {
            lease: if flight == key {
                lease
            } else {
                Key::new(kind, flight).beside(&lease)
            },
            entry,
        }
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
