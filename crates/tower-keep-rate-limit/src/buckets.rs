//! The buckets that this process knows: all there are, or what it last heard of the server's.

use std::{
    hash::BuildHasher,
    sync::{Mutex, MutexGuard, PoisonError},
};

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use smallvec::SmallVec;
use tower_keep_store::{Key, Stamp, Store};

use crate::rule::Record;

/// Buckets in a bounded table.
///
/// Each new one looks at a few others and takes out those that are back at nothing used. Where all places
/// are taken, the one goes that will be back the soonest: forgetting it costs the least.
#[derive(Debug)]
pub(crate) struct Buckets {
    shards: Box<[Mutex<Shard>]>,
    most_per_shard: usize,
}

type Shard = IndexMap<Key, Bucket, RandomState>;

/// What is known of one bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) record: Record,
    /// When nothing of it is used any more, if nothing else is used.
    pub(crate) idle: u64,
    /// Where the log stood when this was asked for.
    pub(crate) seen: Seen,
    /// When the server last told of it, by its clock.
    pub(crate) told: u64,
    /// How many outages there had been by then.
    pub(crate) outages: u32,
    pub(crate) denials: Denials,
    /// Since when the server says that less is used than this process knows; 0 if it does not.
    pub(crate) disputed: u64,
}

/// A place in the log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) generation: u64,
    pub(crate) stamp: Stamp,
}

impl Seen {
    /// No place: whatever was seen there does not hold.
    pub(crate) const NEVER: Self = Self {
        generation: u64::MAX,
        stamp: Stamp {
            epoch: 0,
            position: 0,
        },
    };
}

/// Refusals in a row, for bans.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Denials {
    pub(crate) count: u32,
    pub(crate) since: u64,
}

impl Buckets {
    /// A table as large as the store may be.
    pub(crate) fn of(store: &Store) -> Self {
        Self::new(usize::try_from(store.memory_limit() / BUCKET_BYTES).unwrap_or(usize::MAX))
    }

    /// A table of so many at most.
    fn new(most: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            most_per_shard: (most / SHARDS).max(LOOKED_AT),
        }
    }

    /// Takes hold of these buckets, all at once.
    pub(crate) fn lock<'a>(&self, keys: impl Iterator<Item = &'a Key>) -> Locked<'_> {
        let mut shards: SmallVec<[usize; 4]> = keys.map(place).collect();
        if shards.len() > 1 {
            // Always in the same order, so that no two wait for each other.
            shards.sort_unstable();
            shards.dedup();
        }
        let guards = shards
            .into_iter()
            .map(|shard| (shard, self.guard(shard)))
            .collect();
        Locked {
            buckets: self,
            guards,
        }
    }

    pub(crate) fn remove(&self, key: &Key) {
        self.guard(place(key)).swap_remove(key);
    }

    fn guard(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        (0..SHARDS).map(|shard| self.guard(shard).len()).sum()
    }
}

/// Buckets that nobody else changes meanwhile.
pub(crate) struct Locked<'a> {
    buckets: &'a Buckets,
    guards: SmallVec<[(usize, MutexGuard<'a, Shard>); 4]>,
}

impl Locked<'_> {
    pub(crate) fn get(&mut self, key: &Key) -> Option<&mut Bucket> {
        self.shard(key).get_mut(key)
    }

    /// The bucket, made if there is none.
    pub(crate) fn entry(&mut self, key: &Key, now: u64) -> &mut Bucket {
        let most = self.buckets.most_per_shard;
        let shard = self.shard(key);
        let known = shard.get_index_of(key);
        let index = known.unwrap_or_else(|| {
            make_room(shard, most, now);
            shard.insert_full(*key, Bucket::default()).0
        });
        &mut shard[index]
    }

    fn shard(&mut self, key: &Key) -> &mut Shard {
        let place = match self.guards.len() {
            1 => Some(0),
            _ => {
                let shard = place(key);
                self.guards.iter().position(|(index, _)| *index == shard)
            }
        };
        &mut self.guards[place.expect("locked for this key")].1
    }
}

/// The shard of a key. A digest is as good as chance.
fn place(key: &Key) -> usize {
    usize::from(key.digest()[0]) % SHARDS
}

/// Looks at a few, somewhere. Those that are back at nothing used go; if there is still no room, so does the
/// one of them that will be back first.
fn make_room(shard: &mut Shard, most: usize, now: u64) {
    let start = shard.len().checked_sub(1).map_or(0, |last| {
        // Where the last one was put is as good as chance: it depends on everything before.
        shard.hasher().hash_one((last, now)) as usize
    });
    let mut soonest: Option<(u64, usize)> = None;
    for step in 0..LOOKED_AT {
        if shard.is_empty() {
            return;
        }
        let index = (start.wrapping_add(step)) % shard.len();
        let idle = shard[index].idle;
        if idle <= now {
            shard.swap_remove_index(index);
            soonest = None;
        } else if soonest.is_none_or(|(other, _)| idle < other) {
            soonest = Some((idle, index));
        }
    }
    if shard.len() >= most
        && let Some((_, index)) = soonest
    {
        shard.swap_remove_index(index);
    }
}

/// About what a bucket takes, with its place in the table.
const BUCKET_BYTES: u64 = 256;

/// Enough that two cores rarely meet.
const SHARDS: usize = 32;

const LOOKED_AT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> Key {
        Key::new("t", &number.to_be_bytes())
    }

    fn put(buckets: &Buckets, number: u32, idle: u64, now: u64) {
        let key = key(number);
        buckets.lock([&key].into_iter()).entry(&key, now).idle = idle;
    }

    #[test]
    fn the_table_is_bounded_and_forgets_first_what_is_idle_first() {
        let buckets = Buckets::new(1000);
        put(&buckets, 0, u64::MAX, 1);
        for number in 1..100_000 {
            put(&buckets, number, u64::from(number) + 1_000_000, 1);
        }
        assert!(buckets.len() <= 1000, "{}", buckets.len());
        let first = key(0);
        assert!(buckets.lock([&first].into_iter()).get(&first).is_some());
    }

    #[test]
    fn what_is_idle_makes_room_by_itself() {
        let buckets = Buckets::new(1 << 20);
        for number in 0..100_000 {
            put(&buckets, number, u64::from(number) + 10, u64::from(number));
        }
        assert!(buckets.len() < 2000, "{}", buckets.len());
    }

    #[test]
    fn several_buckets_are_held_at_once_in_whatever_order() {
        let buckets = Buckets::new(1000);
        std::thread::scope(|scope| {
            for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
                let buckets = &buckets;
                scope.spawn(move || {
                    let keys = order.map(key);
                    for _ in 0..1000 {
                        let mut locked = buckets.lock(keys.iter());
                        for key in &keys {
                            let bucket = locked.entry(key, 0);
                            // In use, or another in its shard would take its place.
                            bucket.idle = u64::MAX;
                            bucket.outages += 1;
                        }
                    }
                });
            }
        });
        for number in 1..=3 {
            let key = key(number);
            let mut locked = buckets.lock([&key].into_iter());
            assert_eq!(locked.get(&key).map(|bucket| bucket.outages), Some(3000));
        }
    }
}
