//! The keys that are asked for most: Space-Saving (Metwally, Agrawal and El Abbadi 2005), in sets.

use crate::{label::cut, ticker::SECOND};

/// Counts of the most frequent keys, in fixed memory.
///
/// Each key belongs to one of 128 sets of eight. One that has no slot takes that of the least frequent of its
/// set and inherits its count, which is by how much at most it is counted too high. Counts are halved every
/// five minutes, so that what was hot yesterday cools down.
#[derive(Debug)]
pub(crate) struct HotKeys {
    sets: Box<[Set]>,
    /// Of each slot, where they may be told.
    names: Box<[Name]>,
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
        let names = if named { SETS * WAYS } else { 0 };
        Self {
            sets: (0..SETS).map(|_| Set::default()).collect(),
            names: (0..names).map(|_| Name::default()).collect(),
        }
    }

    pub(crate) fn offer(&mut self, key: u64, name: &str, now: u64) {
        let set = usize::try_from(key >> 57).expect("seven bits");
        self.sets[set].cool(now);
        let taken = self.sets[set].offer(key);
        if let Some(slot) = taken
            && let Some(place) = self.names.get_mut(set * WAYS + slot)
        {
            place.set(name);
        }
    }

    /// The first so many, the hottest first.
    pub(crate) fn top(&mut self, most: usize, now: u64) -> Vec<Hot> {
        self.sets.iter_mut().for_each(|set| set.cool(now));
        let slots = self.sets.iter().flat_map(|set| &set.slots).enumerate();
        let used = slots.filter(|(_, slot)| slot.count > 0);
        let mut all: Vec<_> = used.collect();
        all.sort_unstable_by_key(|(_, slot)| (std::cmp::Reverse(slot.count), slot.key));
        all.truncate(most);
        let told = |(place, slot): (usize, &Slot)| Hot {
            key: slot.key,
            count: slot.count,
            error: slot.error,
            name: self.names.get(place).map(Name::told),
        };
        all.into_iter().map(told).collect()
    }
}

#[derive(Debug, Default)]
struct Set {
    cooled: u64,
    slots: [Slot; WAYS],
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

    /// Counts a key. The slot that it has taken, if it had none.
    fn offer(&mut self, key: u64) -> Option<usize> {
        let mut least = 0;
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            if slot.key == key && slot.count > 0 {
                slot.count += 1;
                return None;
            }
            if slot.count < self.slots[least].count {
                least = index;
            }
        }
        let count = self.slots[least].count;
        self.slots[least] = Slot {
            key,
            count: count + 1,
            error: count,
        };
        Some(least)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: u64,
    count: u64,
    error: u64,
}

/// A text, or its beginning.
#[derive(Debug)]
struct Name {
    text: [u8; NAME],
    length: u8,
}

impl Name {
    fn set(&mut self, name: &str) {
        let name = cut(name, NAME);
        self.text[..name.len()].copy_from_slice(name.as_bytes());
        self.length = u8::try_from(name.len()).expect("shorter than a name");
    }

    fn told(&self) -> String {
        let text = &self.text[..usize::from(self.length)];
        String::from_utf8_lossy(text).into_owned()
    }
}

impl Default for Name {
    fn default() -> Self {
        Self {
            text: [0; NAME],
            length: 0,
        }
    }
}

const SETS: usize = 128;
const WAYS: usize = 8;

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
        let mut hot_keys = HotKeys::new(false);
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
        let mut hot_keys = HotKeys::new(true);
        (0..8).for_each(|_| hot_keys.offer(7, "/a", 0));
        assert_eq!(hot_keys.top(20, HALF_LIFE)[0].count, 4);
        assert_eq!(hot_keys.top(20, 1000 * HALF_LIFE), []);
    }

    #[test]
    fn a_name_is_cut_where_a_character_ends() {
        let mut hot_keys = HotKeys::new(true);
        hot_keys.offer(7, &"ü".repeat(80), 0);
        let name = hot_keys.top(1, 0).remove(0).name.expect("allowed");
        assert_eq!(name, "ü".repeat(51));
    }

    /// SplitMix64's end.
    fn scattered(rank: u64) -> u64 {
        Random::new(rank).any()
    }
}
