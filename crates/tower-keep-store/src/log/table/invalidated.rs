//! What was invalidated, and when: so many targets one by one, and of all others a summary.

use std::collections::{HashMap, VecDeque};

use super::{
    super::{
        record::Change,
        summary::Summary,
        target::{ByTarget, Target},
    },
    last::Last,
};

#[derive(Clone, Debug)]
pub(super) struct Invalidated {
    /// Entries stamped before this cannot be judged any more.
    floor: u64,
    everything: Last,
    targets: HashMap<Target, Last, ByTarget>,
    /// Targets in the order of their invalidation, the oldest first, with repetitions.
    order: VecDeque<(u64, Target)>,
    capacity: usize,
    /// Targets that had to make room.
    forgotten: Summary,
}

impl Invalidated {
    /// At most `capacity` targets one by one.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            floor: 0,
            everything: Last::default(),
            targets: HashMap::default(),
            order: VecDeque::new(),
            capacity,
            forgotten: Summary::new(capacity.saturating_mul(SLOTS_PER_TARGET)),
        }
    }

    /// Nothing was, as far as is known; what lies before this position cannot be judged.
    pub(super) fn clear(&mut self, floor: u64) {
        self.floor = floor;
        self.forgotten.clear(floor);
        self.everything = Last::default();
        self.targets.clear();
        self.order.clear();
    }

    /// These were, and nothing else that is known.
    pub(super) fn restore(&mut self, floor: u64, everything: Last, targets: &[(Target, Last)]) {
        self.floor = floor;
        self.forgotten.clear(floor);
        self.everything = everything;
        self.targets = targets.iter().copied().collect();
        let newest = |(target, last): &(Target, Last)| (last.newest(), *target);
        let mut order: Vec<_> = targets.iter().map(newest).collect();
        order.sort_unstable();
        self.order = order.into();
        self.forget_oldest();
    }

    /// Entries stamped before this cannot be judged any more.
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// The floor of whoever has the targets and not the summary.
    pub(super) fn floor_without_summary(&self) -> u64 {
        self.floor.max(self.forgotten.newest())
    }

    /// When everything was.
    pub(super) fn everything(&self) -> Last {
        self.everything
    }

    /// Those that are known one by one.
    pub(super) fn targets(&self) -> impl Iterator<Item = (Target, Last)> {
        self.targets.iter().map(|(&target, &last)| (target, last))
    }

    /// What is known of a target. Of one that was forgotten only when it may have been hit, hard or not, the
    /// last time before it came back.
    pub(super) fn last(&self, target: Target) -> Last {
        let mut last = self.targets.get(&target).copied().unwrap_or_default();
        let forgotten = self.forgotten.last(target);
        if forgotten > last.hard {
            last.hard = forgotten;
            last.hard_before = forgotten;
        } else {
            last.hard_before = last.hard_before.max(forgotten);
        }
        last
    }

    pub(super) fn raise(&mut self, change: Change, position: u64) {
        if change.target == Target::EVERYTHING {
            self.everything.raise(change.mode, position);
            return;
        }
        let last = self.targets.entry(change.target).or_default();
        if last.newest() != position {
            self.order.push_back((position, change.target));
        }
        last.raise(change.mode, position);
    }

    /// Keeps the bound. What a forgotten target would have refused, the summary refuses.
    pub(super) fn forget_oldest(&mut self) {
        while self.targets.len() > self.capacity {
            let Some((position, target)) = self.order.pop_front() else {
                return;
            };
            if self.is_last_mention(position, target) {
                self.targets.remove(&target);
                if !self.forgotten.remember(target, position) {
                    self.floor = self.floor.max(position);
                    self.forgotten.clear(position);
                }
            }
        }
        if self.order.len() > 2 * self.capacity {
            let order = std::mem::take(&mut self.order);
            self.order = order
                .into_iter()
                .filter(|(position, target)| self.is_last_mention(*position, *target))
                .collect();
        }
    }

    fn is_last_mention(&self, position: u64, target: Target) -> bool {
        self.targets
            .get(&target)
            .is_some_and(|last| last.newest() == position)
    }

    /// What tells one state from another, for the model.
    #[cfg(test)]
    pub(super) fn hash_into(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        let mut targets: Vec<_> = self.targets.iter().collect();
        targets.sort_by_key(|(target, _)| **target);
        (self.floor, self.everything, targets, &self.order).hash(hasher);
        self.forgotten.hash_into(hasher);
    }

    #[cfg(test)]
    pub(super) fn forgotten(&self) -> &Summary {
        &self.forgotten
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        // A byte of control for each place in the map, of which an eighth stays free.
        let places = self.targets.capacity() * 8 / 7;
        places * (1 + size_of::<(Target, Last)>())
            + self.order.capacity() * size_of::<(u64, Target)>()
            + self.forgotten.bytes()
    }
}

/// So that of as many forgotten targets as the table holds, one in 3000 entries suffers.
const SLOTS_PER_TARGET: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{
            super::target::Mode,
            Table, Verdict,
            fixture::{append, tag},
        },
        *,
    };

    proptest! {
        /// Against a table without a bound: never valid where that one says invalid, and exactly the
        /// same while the bound is not reached.
        #[test]
        fn the_bound_costs_only_misses(
            appends in prop::collection::vec(prop::collection::vec((0_u32..12, any::<bool>()), 0..4), 1..60),
            asked in prop::collection::vec(0_u32..12, 0..4),
        ) {
            let mut bounded = Table::new(4);
            let mut exact = Table::new(usize::MAX / 4);
            let mut stamps = vec![];
            for changes in appends {
                let changes: Vec<_> = changes
                    .into_iter()
                    .map(|(name, soft)| Change {
                        target: tag(name),
                        mode: if soft { Mode::Soft } else { Mode::Hard },
                    })
                    .collect();
                append(&mut bounded, 1, changes.clone());
                stamps.push(append(&mut exact, 1, changes));
            }
            let asked: Vec<_> = asked.into_iter().map(tag).collect();
            for stamp in stamps {
                let truth = exact.verdict(stamp, &asked);
                let said = bounded.verdict(stamp, &asked);
                prop_assert!(said == truth || said == Verdict::Invalid);
            }
            prop_assert!(bounded.invalidated.targets.len() <= 4);
            prop_assert!(bounded.invalidated.order.len() <= 8);
        }
    }
}
