//! Some of all keys, chosen by their hashes.

use std::sync::{
    Mutex,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use super::{Answers, Fetched};

/// A table of fixed size. As it fills, fewer keys are sampled, and those that no longer are make room.
#[derive(Debug)]
pub(super) struct Sample {
    sets: Box<[Mutex<[Slot; WAYS]>]>,
    /// One key in two to the power of this is sampled.
    thinning: AtomicU32,
    taken: AtomicU64,
}

/// What the caches answer, and for how many keys they stand.
#[derive(Debug)]
pub(super) struct Sampled {
    pub(super) answers: Answers,
    pub(super) weight: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: u64,
    fetched: Fetched,
}

impl Sample {
    pub(super) fn new() -> Self {
        Self {
            sets: (0..SETS).map(|_| Mutex::default()).collect(),
            thinning: AtomicU32::new(0),
            taken: AtomicU64::new(0),
        }
    }

    /// Nothing if the key is not in the sample.
    pub(super) fn ask(&self, key: u64, now: u32) -> Option<Sampled> {
        let thinning = self.thinning.load(Ordering::Relaxed);
        if !is_sampled(key, thinning) {
            return None;
        }
        let set = usize::try_from(key % SETS).expect("less than a small number");
        let mut slots = self.sets[set].try_lock().ok()?;
        let place = slots.iter().position(|slot| slot.key == key);
        let place = place.or_else(|| {
            let free = |slot: &Slot| self.is_free(slot, thinning, now);
            let place = slots.iter().position(free)?;
            slots[place] = Slot {
                key,
                fetched: Fetched::default(),
            };
            Some(place)
        })?;
        Some(Sampled {
            answers: slots[place].fetched.ask(now),
            weight: 1 << thinning,
        })
    }

    /// Whether a slot may be taken. If it may, it is: the sample is thinned when it has become dense.
    fn is_free(&self, slot: &Slot, thinning: u32, now: u32) -> bool {
        if slot.key != 0 && is_sampled(slot.key, thinning) {
            return slot.fetched.is_useless(now);
        }
        let order = Ordering::Relaxed;
        let taken = self.taken.fetch_add(1, order) + 1;
        if taken >= DENSE && thinning < THINNEST {
            let thinner = self
                .thinning
                .compare_exchange(thinning, thinning + 1, order, order);
            if thinner.is_ok() {
                // So many are left; the others make room as they are come upon.
                self.taken.store(DENSE / 2, order);
            }
        }
        true
    }
}

fn is_sampled(key: u64, thinning: u32) -> bool {
    key.leading_zeros() >= thinning
}

const SETS: u64 = 1024;
const WAYS: usize = 8;

/// More, and too many sets are full, whose further keys are not sampled.
const DENSE: u64 = SETS * WAYS as u64 * 3 / 4;
const THINNEST: u32 = 40;
