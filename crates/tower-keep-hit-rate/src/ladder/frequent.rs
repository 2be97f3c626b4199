//! The keys that are asked for often: all of them are simulated.

use std::sync::Mutex;

use super::{Answers, Fetched};

/// Space-Saving in sets, as for the hot keys; each slot has its simulated caches.
#[derive(Debug)]
pub(super) struct Frequent {
    sets: Box<[Mutex<[Slot; WAYS]>]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: u64,
    count: u32,
    /// By how much the count may be too high.
    error: u32,
    fetched: Fetched,
}

impl Frequent {
    pub(super) fn new() -> Self {
        Self {
            sets: (0..SETS).map(|_| Mutex::default()).collect(),
        }
    }

    /// What the caches answer, if the key has been asked for often enough to be one of these.
    pub(super) fn ask(&self, key: u64, now: u32) -> Option<Answers> {
        // Other bits than those by which the sample chooses.
        let set = usize::try_from((key >> 16) % SETS).expect("less than a small number");
        let mut slots = self.sets[set].try_lock().ok()?;
        let slot = match slots
            .iter()
            .position(|slot| slot.key == key && slot.count > 0)
        {
            Some(place) => &mut slots[place],
            None => {
                let slot = slots.iter_mut().min_by_key(|slot| slot.count)?;
                *slot = Slot {
                    key,
                    count: slot.count,
                    error: slot.count,
                    fetched: Fetched::default(),
                };
                slot
            }
        };
        slot.count = slot.count.saturating_add(1);
        let answers = slot.fetched.ask(now);
        (slot.count - slot.error > OFTEN).then_some(answers)
    }
}

const SETS: u64 = 128;
const WAYS: usize = 8;

/// After so many requests in its slot a key is frequent, and its caches are warm.
const OFTEN: u32 = 16;
