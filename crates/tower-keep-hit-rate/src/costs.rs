//! What the origin took for each of the last keys.

use std::sync::atomic::{AtomicU64, Ordering};

/// A table of fixed size: the hash of a key → how long its last miss took. A key that another has pushed out
/// is unknown, and never mistaken for the other but once in 16 million times.
#[derive(Debug)]
pub(crate) struct Costs {
    slots: Box<[AtomicU64]>,
}

impl Costs {
    pub(crate) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(crate) fn remember(&self, key: u64, nanos: u64) {
        // Zero is an empty slot.
        let cost = nanos.clamp(1, MOST);
        self.slot(key).store(mark(key) | cost, Ordering::Relaxed);
    }

    pub(crate) fn of(&self, key: u64) -> Option<u64> {
        let slot = self.slot(key).load(Ordering::Relaxed);
        let cost = slot & MOST;
        (slot & !MOST == mark(key) && cost > 0).then_some(cost)
    }

    fn slot(&self, key: u64) -> &AtomicU64 {
        let place = usize::try_from(key % SLOTS).expect("less than a small number");
        &self.slots[place]
    }
}

/// The part of the hash that does not choose the slot.
fn mark(key: u64) -> u64 {
    key & !MOST
}

/// 128 KiB.
const SLOTS: u64 = 16_384;

/// The longest that a slot can tell: 18 minutes.
const MOST: u64 = (1 << 40) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_mistaken_for_the_one_that_pushed_it_out() {
        let costs = Costs::new();
        let [a, b] = [0xAAAA_AA00_0000_0007, 0xBBBB_BB00_0000_0007];
        costs.remember(a, 5);
        assert_eq!((costs.of(a), costs.of(b)), (Some(5), None));
        costs.remember(b, u64::MAX);
        assert_eq!((costs.of(a), costs.of(b)), (None, Some(MOST)));
    }
}
