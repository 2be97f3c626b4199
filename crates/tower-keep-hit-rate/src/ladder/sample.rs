//! Some of all keys, chosen by their hashes.

use super::{Answers, Fetched};

/// A table of fixed size. As it fills, fewer keys are sampled, and those that no longer are make room.
#[derive(Debug)]
pub(super) struct Sample {
    sets: Box<[[Slot; WAYS]]>,
    /// One key in two to the power of this is sampled.
    thinning: u32,
    taken: u64,
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
            sets: (0..SETS).map(|_| Default::default()).collect(),
            thinning: 0,
            taken: 0,
        }
    }

    /// Nothing if the key is not in the sample.
    pub(super) fn ask(&mut self, key: u64, now: u32) -> Option<Sampled> {
        let thinning = self.thinning;
        if !is_sampled(key, thinning) {
            return None;
        }
        let slot = self.slot(key, now)?;
        Some(Sampled {
            answers: slot.fetched.ask(now),
            weight: 1 << thinning,
        })
    }

    /// The slot of a key, if it has one or there is one that nobody needs.
    fn slot(&mut self, key: u64, now: u32) -> Option<&mut Slot> {
        let set = usize::try_from(key % SETS).expect("less than a small number");
        let thinning = self.thinning;
        let slots = &self.sets[set];
        if let Some(place) = slots.iter().position(|slot| slot.key == key) {
            return Some(&mut self.sets[set][place]);
        }
        let is_free = |slot: &Slot| !slot.is_sampled(thinning) || slot.fetched.is_useless(now);
        let place = slots.iter().position(is_free)?;
        if !slots[place].is_sampled(thinning) {
            self.take();
        }
        self.sets[set][place] = Slot {
            key,
            fetched: Fetched::default(),
        };
        Some(&mut self.sets[set][place])
    }

    /// One more is taken: the sample is thinned when it has become dense.
    fn take(&mut self) {
        self.taken += 1;
        if self.taken >= DENSE && self.thinning < THINNEST {
            self.thinning += 1;
            // So many are left; the others make room as they are come upon.
            self.taken = DENSE / 2;
        }
    }
}

impl Slot {
    fn is_sampled(&self, thinning: u32) -> bool {
        self.key != 0 && is_sampled(self.key, thinning)
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
