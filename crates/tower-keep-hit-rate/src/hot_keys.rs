//! The keys that are asked for most: Space-Saving (Metwally, Agrawal and El Abbadi 2005), in sets.

use std::sync::{Mutex, PoisonError};

use crate::{label::cut, ticker::SECOND};

/// Counts of the most frequent keys, in fixed memory.
///
/// Each key belongs to one of 128 sets of eight. One that has no slot takes that of the least frequent of its
/// set and inherits its count, which is by how much at most it is counted too high. Counts are halved every
/// five minutes, so that what was hot yesterday cools down.
#[derive(Debug)]
pub(crate) struct HotKeys {
    sets: Box<[Mutex<Set>]>,
    named: bool,
}

/// A key that is asked for often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hot {
    pub(crate) key: u64,
    pub(crate) count: u64,
    pub(crate) error: u64,
    pub(crate) name: Option<String>,
}

impl HotKeys {
    pub(crate) fn new(named: bool) -> Self {
        Self {
            sets: (0..SETS).map(|_| Mutex::default()).collect(),
            named,
        }
    }

    pub(crate) fn offer(&self, key: u64, name: &str, now: u64) {
        let set = usize::try_from(key >> 57).expect("seven bits");
        // A request waits for nobody: where others are at the same set, it is not counted.
        let Ok(mut set) = self.sets[set].try_lock() else {
            return;
        };
        set.cool(now);
        let name = if self.named { name } else { "" };
        set.offer(key, name);
    }

    /// The first so many, the hottest first.
    pub(crate) fn top(&self, most: usize, now: u64) -> Vec<Hot> {
        let mut all: Vec<_> = self.sets.iter().flat_map(|set| self.of(set, now)).collect();
        all.sort_unstable_by_key(|hot| (std::cmp::Reverse(hot.count), hot.key));
        all.truncate(most);
        all
    }

    fn of(&self, set: &Mutex<Set>, now: u64) -> Vec<Hot> {
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        set.cool(now);
        let used = set.slots.iter().filter(|slot| slot.count > 0);
        used.map(|slot| slot.told(self.named)).collect()
    }
}

#[derive(Debug, Default)]
struct Set {
    cooled: u64,
    slots: [Slot; 8],
}

impl Set {
    fn cool(&mut self, now: u64) {
        let age = now / HALF_LIFE;
        let halvings = u32::try_from(age.saturating_sub(self.cooled)).unwrap_or(u32::MAX);
        if halvings == 0 {
            return;
        }
        self.cooled = age;
        for slot in &mut self.slots {
            slot.count = slot.count.checked_shr(halvings).unwrap_or(0);
            slot.error = slot.error.checked_shr(halvings).unwrap_or(0);
        }
    }

    fn offer(&mut self, key: u64, name: &str) {
        let mut least = 0;
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            if slot.key == key && slot.count > 0 {
                slot.count += 1;
                return;
            }
            if slot.count < self.slots[least].count {
                least = index;
            }
        }
        self.slots[least].take(key, name);
    }
}

#[derive(Debug)]
struct Slot {
    key: u64,
    count: u64,
    error: u64,
    name: [u8; NAME],
    length: u8,
}

impl Slot {
    fn take(&mut self, key: u64, name: &str) {
        let name = cut(name, NAME);
        let end = name.len();
        self.key = key;
        self.error = self.count;
        self.count += 1;
        self.name[..end].copy_from_slice(name.as_bytes());
        self.length = u8::try_from(end).expect("shorter than a name");
    }

    fn told(&self, named: bool) -> Hot {
        let name = &self.name[..usize::from(self.length)];
        Hot {
            key: self.key,
            count: self.count,
            error: self.error,
            name: named.then(|| String::from_utf8_lossy(name).into_owned()),
        }
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            key: 0,
            count: 0,
            error: 0,
            name: [0; NAME],
            length: 0,
        }
    }
}

const SETS: usize = 128;

const HALF_LIFE: u64 = 300 * SECOND;

/// The longest name that is kept, in bytes.
const NAME: usize = 103;

#[cfg(test)]
mod tests {
    use tower_keep_test_support::{Random, seed};

    use super::*;

    /// A stream in which key k comes as often as 1/k, of 100 000 keys.
    #[test]
    fn nineteen_of_the_twenty_hottest_are_found() {
        let mut random = Random::new(seed());
        let hot_keys = HotKeys::new(false);
        let mut counts = vec![0_u64; 100_001];
        for _ in 0..300_000 {
            let rank = 1
                + (100_000_f64.powf(random.below(1 << 32) as f64 / (1_u64 << 32) as f64)) as usize;
            let rank = rank.min(100_000);
            counts[rank] += 1;
            hot_keys.offer(scattered(rank as u64), "", 0);
        }
        let mut truth: Vec<_> = (1..counts.len()).collect();
        truth.sort_by_key(|rank| std::cmp::Reverse(counts[*rank]));
        let top = hot_keys.top(20, 0);
        let found = truth[..20].iter().filter(|rank| {
            let key = scattered(**rank as u64);
            top.iter().any(|hot| hot.key == key)
        });
        assert!(found.count() >= 19);
        for hot in &top {
            let Some(rank) = (1..100_001).find(|rank| scattered(*rank as u64) == hot.key) else {
                panic!("a key that was never offered");
            };
            assert!(hot.count - hot.error <= counts[rank] && counts[rank] <= hot.count);
        }
    }

    #[test]
    fn what_was_hot_cools_down() {
        let hot_keys = HotKeys::new(true);
        (0..8).for_each(|_| hot_keys.offer(7, "/a", 0));
        assert_eq!(hot_keys.top(20, HALF_LIFE)[0].count, 4);
        assert_eq!(hot_keys.top(20, 1000 * HALF_LIFE), []);
    }

    #[test]
    fn a_name_is_cut_where_a_character_ends() {
        let hot_keys = HotKeys::new(true);
        hot_keys.offer(7, &"ü".repeat(80), 0);
        let name = hot_keys.top(1, 0).remove(0).name.expect("allowed");
        assert_eq!(name, "ü".repeat(51));
    }

    /// SplitMix64's end.
    fn scattered(rank: u64) -> u64 {
        Random::new(rank).any()
    }
}
