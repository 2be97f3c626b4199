//! What is in doubt: invalidated here and not in the log yet, or announced in the log as being changed.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use super::{
    record::Change,
    table::Verdict,
    target::{Mode, Target},
};

/// A change of data that is under way somewhere, as its writer announced it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Begun {
    /// Random; two writers may doubt the same targets.
    pub(super) id: u64,
    /// After this, counted by each process from when it heard of it, the writer is taken for dead.
    pub(super) lease: Duration,
    pub(super) targets: Box<[Target]>,
}

impl Begun {
    /// Too many targets are all there are.
    pub(super) fn new(id: u64, lease: Duration, targets: &[Target]) -> Self {
        let targets = match targets.len() {
            0..=MOST_TARGETS_EACH => targets.into(),
            _ => [Target::EVERYTHING].into(),
        };
        let lease = lease.clamp(Duration::from_millis(1), LONGEST_LEASE);
        Self { id, lease, targets }
    }

    /// What its end does to them: whatever was fetched until then is of no use.
    pub(super) fn hits(&self) -> Vec<Change> {
        let hard = |&target: &Target| Change {
            target,
            mode: Mode::Hard,
        };
        self.targets.iter().map(hard).collect()
    }
}

/// What a record says of doubts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum DoubtChange {
    Begins(Begun),
    /// That of this id.
    Ends(u64),
}

/// All that is in doubt in one process.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubts {
    /// How many doubts there are of each target, and how hard.
    counts: HashMap<Change, u32>,
    /// Those that end by a record.
    open: HashMap<u64, Begun>,
    /// Targets of those.
    targets: usize,
    /// Those that a record ended last: a begin that was written again may come after it.
    ended: VecDeque<u64>,
}

impl Doubts {
    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// What an entry with this target is worth.
    pub(super) fn verdict(&self, target: Target) -> Verdict {
        if self.is_empty() {
            return Verdict::Valid;
        }
        let doubted = |mode| self.counts.contains_key(&Change { target, mode });
        if doubted(Mode::Hard) {
            Verdict::Invalid
        } else if doubted(Mode::Soft) {
            Verdict::Soft
        } else {
            Verdict::Valid
        }
    }

    pub(super) fn add(&mut self, changes: &[Change]) {
        for change in changes {
            *self.counts.entry(*change).or_default() += 1;
        }
    }

    pub(super) fn settle(&mut self, changes: &[Change]) {
        for change in changes {
            if let Some(count) = self.counts.get_mut(change) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(change);
                }
            }
        }
    }

    /// Begins a doubt, unless it has begun. Beyond the bound it is one of everything.
    pub(super) fn begin(&mut self, begun: &Begun) {
        if self.open.contains_key(&begun.id) || self.ended.contains(&begun.id) {
            return;
        }
        let begun = match self.has_room_for(begun) {
            true => begun.clone(),
            false => Begun {
                targets: [Target::EVERYTHING].into(),
                ..*begun
            },
        };
        self.targets += begun.targets.len();
        self.add(&begun.hits());
        self.open.insert(begun.id, begun);
    }

    /// A record says that it is over, whatever else is heard of it.
    pub(super) fn end_for_good(&mut self, id: u64) {
        self.end(id);
        if !self.ended.contains(&id) {
            self.ended.push_back(id);
        }
        if self.ended.len() > MOST_DOUBTS {
            self.ended.pop_front();
        }
    }

    pub(super) fn end(&mut self, id: u64) {
        if let Some(begun) = self.open.remove(&id) {
            self.targets -= begun.targets.len();
            self.settle(&begun.hits());
        }
    }

    /// Whether one more fits. What does not is refused to a writer who asks here.
    pub(super) fn has_room_for(&self, begun: &Begun) -> bool {
        self.open.len() < MOST_DOUBTS && self.targets + begun.targets.len() <= MOST_TARGETS
    }

    #[cfg(test)]
    pub(super) fn hash_into(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        let mut counts: Vec<_> = self.counts.iter().collect();
        counts.sort_by_key(|(change, _)| (change.target, change.mode == Mode::Soft));
        let mut open: Vec<_> = self.open.values().collect();
        open.sort_by_key(|begun| begun.id);
        (counts, open, &self.ended).hash(hasher);
    }

    pub(super) fn open(&self) -> impl Iterator<Item = &Begun> {
        self.open.values()
    }
}

/// Doubts open at one time, in all processes together. As many transactions under way are more than the
/// databases behind one cache take.
const MOST_DOUBTS: usize = 1024;

/// Targets of all of them, about 1 MB.
const MOST_TARGETS: usize = 1 << 14;

/// Targets of one doubt; beyond that it is one of everything.
const MOST_TARGETS_EACH: usize = 1024;

/// A dead writer costs misses no longer than this.
const LONGEST_LEASE: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(name: u64) -> Target {
        Target::new("tag", &name.to_be_bytes())
    }

    fn begun(id: u64, targets: &[Target]) -> Begun {
        Begun::new(id, Duration::from_secs(1), targets)
    }

    #[test]
    fn two_writers_may_doubt_one_target_and_each_ends_its_own() {
        let mut doubts = Doubts::default();
        doubts.begin(&begun(1, &[tag(1)]));
        doubts.begin(&begun(1, &[tag(1)]));
        doubts.begin(&begun(2, &[tag(1), tag(2)]));
        doubts.end(1);
        assert_eq!(doubts.verdict(tag(1)), Verdict::Invalid);
        doubts.end(2);
        doubts.end(2);
        assert!(doubts.is_empty());
        assert_eq!(doubts.targets, 0);
    }

    #[test]
    fn a_begin_that_comes_after_its_end_is_of_no_account() {
        let mut doubts = Doubts::default();
        doubts.end_for_good(1);
        doubts.begin(&begun(1, &[tag(1)]));
        assert!(doubts.is_empty());
        for id in 2..=3 * MOST_DOUBTS as u64 {
            doubts.end_for_good(id);
        }
        assert_eq!(doubts.ended.len(), MOST_DOUBTS);
    }

    #[test]
    fn what_does_not_fit_puts_everything_in_doubt_and_takes_little_room() {
        let mut doubts = Doubts::default();
        for id in 1..=MOST_DOUBTS as u64 {
            assert!(doubts.has_room_for(&begun(id, &[tag(id)])));
            doubts.begin(&begun(id, &[tag(id)]));
        }
        let more = begun(0, &[tag(0), tag(1)]);
        assert!(!doubts.has_room_for(&more));
        doubts.begin(&more);
        assert_eq!(doubts.verdict(Target::EVERYTHING), Verdict::Invalid);
        doubts.end(0);
        assert_eq!(doubts.verdict(Target::EVERYTHING), Verdict::Valid);
        let many: Vec<_> = (0..2000).map(tag).collect();
        assert_eq!(*begun(3, &many).targets, [Target::EVERYTHING]);
    }
}
