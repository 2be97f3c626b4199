//! What the table has forgotten one by one, in a fixed room.

use super::target::Target;

/// For each target a position not lower than the last at which it was forgotten.
///
/// A Bloom filter of positions: a target has four slots, and raises each; what it was is at most the
/// lowest of them. Others may have raised all four: a miss, never a stale answer.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    /// Positions after `base`; allocated when there is something to remember.
    slots: Vec<u32>,
    most: usize,
    base: u64,
    newest: u64,
}

impl Summary {
    /// So many slots, or a few less.
    pub(super) fn new(slots: usize) -> Self {
        let most = 1 << slots.clamp(SLOTS_EACH, MOST_SLOTS).ilog2();
        Self {
            slots: Vec::new(),
            most,
            base: 0,
            newest: 0,
        }
    }

    /// Nothing is forgotten yet, and positions begin after this one.
    pub(super) fn clear(&mut self, base: u64) {
        self.slots = Vec::new();
        (self.base, self.newest) = (base, 0);
    }

    /// The target was last hit at this position. False if there is no room for such a position.
    #[must_use]
    pub(super) fn remember(&mut self, target: Target, position: u64) -> bool {
        let Ok(after) = u32::try_from(position.saturating_sub(self.base)) else {
            return false;
        };
        if self.slots.is_empty() {
            self.slots = vec![0; self.most];
        }
        for index in self.places(target) {
            self.slots[index] = self.slots[index].max(after);
        }
        self.newest = self.newest.max(position);
        true
    }

    /// A position not lower than the last at which it was hit and then forgotten; 0 for never.
    pub(super) fn last(&self, target: Target) -> u64 {
        if self.slots.is_empty() {
            return 0;
        }
        let after = self.places(target).map(|index| self.slots[index]).min();
        match after {
            Some(1..) => self.base + u64::from(after.unwrap_or(0)),
            _ => 0,
        }
    }

    /// The highest position that was forgotten.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    fn places(&self, target: Target) -> impl Iterator<Item = usize> + use<> {
        let bits = target.to_bits() as usize;
        let (first, step) = (bits, (bits >> 32) | 1);
        let mask = self.most - 1;
        (0..SLOTS_EACH).map(move |i| first.wrapping_add(i.wrapping_mul(step)) & mask)
    }

    #[cfg(test)]
    pub(super) fn hash_into(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        (&self.slots, self.base, self.newest).hash(hasher);
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        4 * self.slots.capacity()
    }
}

const SLOTS_EACH: usize = 4;

/// 16 MB.
const MOST_SLOTS: usize = 1 << 22;

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(name: u32) -> Target {
        Target::new("tag", &name.to_be_bytes())
    }

    #[test]
    fn what_was_forgotten_is_never_later_than_the_summary_says() {
        let mut summary = Summary::new(64);
        summary.clear(1000);
        for i in 0..200 {
            assert!(summary.remember(tag(i), 1001 + u64::from(i)));
        }
        for i in 0..200 {
            assert!(summary.last(tag(i)) > 1000 + u64::from(i));
        }
        assert_eq!(summary.newest(), 1200);
        summary.clear(5);
        assert_eq!(summary.last(tag(1)), 0);
        assert!(!summary.remember(tag(1), 6 + u64::from(u32::MAX)));
    }

    #[test]
    fn little_is_taken_for_much() {
        let mut summary = Summary::new(1 << 16);
        for i in 0..4096 {
            assert!(summary.remember(tag(i), 1));
        }
        let wrong = (10_000..20_000).filter(|&i| summary.last(tag(i)) > 0);
        assert!(wrong.count() < 100, "about 24 are expected");
    }
}
