//! The embedded store: bounded by bytes, in this process only.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter, sync::Cache};

use crate::{
    clock::{Clock, Timestamp},
    evictions::{Evictions, Level},
};

/// Records with their deadlines. A record past its deadline is gone for every reader; its memory is
/// returned when it is next touched or when room is needed.
pub(crate) struct Memory {
    records: Cache<Box<[u8]>, Record, ByBytes, DefaultHashBuilder, Departing>,
    clock: Clock,
    evictions: Arc<Evictions>,
}

#[derive(Clone)]
struct Record {
    value: Bytes,
    expires: Timestamp,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Box<[u8]>, Record> for ByBytes {
    fn weight(&self, key: &Box<[u8]>, record: &Record) -> u64 {
        (key.len() + record.value.len()) as u64 + RECORD_OVERHEAD
    }
}

/// Counts what makes room.
#[derive(Clone)]
struct Departing {
    clock: Clock,
    evictions: Arc<Evictions>,
}

impl Lifecycle<Box<[u8]>, Record> for Departing {
    /// What has gone, to be dropped after the lock.
    type RequestState = Option<(Box<[u8]>, Record)>;

    fn begin_request(&self) -> Self::RequestState {
        None
    }

    /// Not called for what is replaced.
    fn before_evict(&self, _: &mut Self::RequestState, _: &Box<[u8]>, record: &mut Record) {
        let is_expired = record.expires <= self.clock.now();
        self.evictions.made_room(Level::Embedded, is_expired);
    }

    fn on_evict(&self, gone: &mut Self::RequestState, key: Box<[u8]>, record: Record) {
        *gone = Some((key, record));
    }
}

impl Memory {
    pub(crate) fn new(limit: u64, clock: Clock) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity((limit / 1024).clamp(64, 1 << 20) as usize)
            .weight_capacity(limit)
            .shards(SHARDS)
            .build()
            .expect("every option is given");
        let evictions = Arc::<Evictions>::default();
        let departing = Departing {
            clock: clock.clone(),
            evictions: evictions.clone(),
        };
        Self {
            records: Cache::with_options(options, ByBytes, Default::default(), departing),
            clock,
            evictions,
        }
    }

    pub(crate) fn evictions(&self) -> &Arc<Evictions> {
        &self.evictions
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<Bytes> {
        let record = self.records.get(key)?;
        if record.expires > self.clock.now() {
            return Some(record.value);
        }
        // Only what is still expired is removed: a writer may have come in between.
        let is_expired = |record: &Record| record.expires <= self.clock.now();
        if self.records.remove_if(key, is_expired).is_some() {
            self.evictions.found_expired(Level::Embedded);
        }
        None
    }

    pub(crate) fn put(&self, key: Vec<u8>, value: Bytes, ttl: Duration) {
        let expires = self.clock.now() + ttl;
        self.records
            .insert(key.into_boxed_slice(), Record { value, expires });
    }

    pub(crate) fn remove(&self, key: &[u8]) {
        self.records.remove(key);
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("bytes", &self.records.weight())
            .field("limit", &self.records.capacity())
            .finish()
    }
}

/// What a record costs beyond its bytes: the entry, the map's slot, the queue's links.
const RECORD_OVERHEAD: u64 = 128;

/// Few enough that one record may be an eighth of the limit, enough that two cores rarely meet.
const SHARDS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(limit: u64) -> (Memory, Clock) {
        let clock = Clock::manual(Timestamp::from_secs(1));
        (Memory::new(limit, clock.clone()), clock)
    }

    #[test]
    fn a_record_is_gone_at_its_deadline() {
        let (memory, clock) = memory(1 << 20);
        memory.put(
            b"k".to_vec(),
            Bytes::from_static(b"v"),
            Duration::from_millis(5),
        );
        clock.advance(Duration::from_micros(4_999));
        assert_eq!(memory.get(b"k").as_deref(), Some(&b"v"[..]));
        clock.advance(Duration::from_micros(1));
        assert_eq!(memory.get(b"k"), None);
        assert_eq!(memory.records.len(), 0);
        assert_eq!(memory.evictions.expired(Level::Embedded), 1);
    }

    #[test]
    fn memory_stays_within_its_limit_and_tells_what_made_room() {
        let (memory, clock) = memory(1 << 20);
        for i in 0..10_000_u32 {
            memory.put(
                i.to_be_bytes().to_vec(),
                Bytes::from(vec![0; 1000]),
                Duration::from_secs(60),
            );
        }
        assert!(memory.records.weight() <= 1 << 20);
        let kept = memory.records.len() as u64;
        assert!(kept > 500);
        // What is replaced has not made room.
        memory.put(
            9_999_u32.to_be_bytes().to_vec(),
            Bytes::from(vec![0; 1000]),
            Duration::from_secs(60),
        );
        let gone = || Level::ALL.map(|level| memory.evictions.evicted(level));
        assert_eq!(gone(), [0, 10_000 - kept]);
        clock.advance(Duration::from_secs(61));
        let ttl = Duration::from_secs(60);
        memory.put(b"k".to_vec(), Bytes::from(vec![0; 1000]), ttl);
        assert_eq!(gone(), [0, 10_000 - kept]);
        assert!(memory.evictions.expired(Level::Embedded) > 0);
    }
}
