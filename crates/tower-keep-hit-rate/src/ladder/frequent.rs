//! The keys that are asked for often: all of them are simulated.

use super::{Answers, Fetched};

/// The most frequent keys, in sets of eight slots, each with its simulated caches.
///
/// A key without a slot takes that of the least frequent of its set only now and then, the more rarely the more
/// frequent that is (randomized admission, Ben Basat et al. 2017): many keys that are asked for once do not push
/// out one that comes again and again.
#[derive(Debug)]
pub(super) struct Frequent {
    sets: Box<[Set]>,
}

#[derive(Debug, Default)]
struct Set {
    asked: u64,
    slots: [Slot; WAYS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: u64,
    /// By which it is replaced, halved now and then.
    count: u32,
    /// Requests since it was taken.
    requests: u32,
    fetched: Fetched,
}

impl Frequent {
    pub(super) fn new() -> Self {
        Self {
            sets: (0..SETS).map(|_| Set::default()).collect(),
        }
    }

    /// What the caches answer, if the key has been asked for often enough to be one of these.
    pub(super) fn ask(&mut self, key: u64, now: u32) -> Option<Answers> {
        // Other bits than those by which the sample chooses.
        let set = usize::try_from((key >> 16) % SETS).expect("less than a small number");
        let slot = self.sets[set].slot(key)?;
        slot.count = slot.count.saturating_add(1);
        slot.requests = slot.requests.saturating_add(1);
        let answers = slot.fetched.ask(now);
        (slot.requests > OFTEN).then_some(answers)
    }
}

impl Set {
    /// The slot of a key, if it has one or is let in.
    fn slot(&mut self, key: u64) -> Option<&mut Slot> {
        self.asked += 1;
        if self.asked.is_multiple_of(HALVING) {
            self.slots.iter_mut().for_each(|slot| slot.count /= 2);
        }
        let is_its = |slot: &Slot| slot.key == key && slot.requests > 0;
        if let Some(place) = self.slots.iter().position(is_its) {
            return Some(&mut self.slots[place]);
        }
        let chance = scattered(key ^ self.asked);
        let least = self.slots.iter_mut().min_by_key(|slot| slot.count)?;
        if !chance.is_multiple_of(u64::from(least.count) + 1) {
            return None;
        }
        *least = Slot {
            key,
            count: least.count,
            ..Slot::default()
        };
        Some(least)
    }
}

/// The end of SplitMix64.
fn scattered(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

const SETS: u64 = 256;
const WAYS: usize = 8;

/// After so many requests of a set its counts are halved, so that who was frequent yesterday can be replaced.
const HALVING: u64 = 1024;

/// After so many requests in its slot a key is frequent, and its caches are warm.
const OFTEN: u32 = 16;
