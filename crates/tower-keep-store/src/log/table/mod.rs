//! The log, folded: for each target the last position at which it was invalidated.
//!
//! A pure state machine. Records go in, verdicts come out; no I/O, no clock.

pub(super) use self::last::Last;
use self::{applied::Applied, invalidated::Invalidated};
pub use self::{
    moment::{Moment, Stamp},
    verdict::Verdict,
};
use super::{
    doubts::{DoubtChange, Doubts},
    record::Record,
};

mod answer;
mod applied;
mod doubting;
#[cfg(test)]
mod fixture;
mod invalidated;
mod last;
mod moment;
mod restore;
mod verdict;

#[derive(Clone, Debug)]
pub(super) struct Table {
    applied: Applied,
    invalidated: Invalidated,
    /// Invalidated here and not yet known to stand in the log, or announced in the log as being changed.
    /// Outlives the epoch: what ends it is a record.
    in_doubt: Doubts,
    /// What was known was forgotten, and no end of the log that was read since has been reached.
    is_relearning: bool,
}

/// A record that does not continue what was applied: something is missing in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap;

impl Table {
    /// A table of at most `capacity` targets.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            applied: Applied::default(),
            invalidated: Invalidated::new(capacity),
            in_doubt: Doubts::default(),
            is_relearning: false,
        }
    }

    /// Where a fetch that begins now stands.
    pub(super) fn stamp(&self) -> Stamp {
        self.applied.stamp()
    }

    /// Now, in this generation.
    pub(super) fn moment(&self, generation: u64) -> Moment {
        Moment {
            generation,
            order: 0,
            stamp: self.stamp(),
            in_doubt: !self.in_doubt.is_empty(),
        }
    }

    /// The last applied record's nonce.
    pub(super) fn nonce(&self) -> u64 {
        self.applied.nonce()
    }

    /// The nonce of a record that was applied, if that is not too long ago.
    pub(super) fn nonce_at(&self, position: u64) -> Option<u64> {
        self.applied.nonce_at(position)
    }

    /// Takes the next record in. One that was taken in already changes nothing: it may come by two ways.
    /// (Should it be another one at that place, the next record or heartbeat shows it.)
    ///
    /// # Errors
    ///
    /// [`Gap`] if it does not follow the last one. Nothing changed then.
    pub(super) fn apply(&mut self, record: &Record) -> Result<(), Gap> {
        if record.epoch != self.stamp().epoch {
            self.applied.begin_epoch(record.epoch);
            self.invalidated.clear(record.position.saturating_sub(1));
        } else if self.applied.has_taken(record) {
            return Ok(());
        } else if !self.applied.is_followed_by(record) {
            return Err(Gap);
        }
        self.applied.advance(record.position, record.nonce);
        for change in &record.content.changes {
            self.invalidated.raise(*change, record.position);
        }
        for doubt in &record.content.doubts {
            match doubt {
                DoubtChange::Begins(begun) => self.in_doubt.begin(begun),
                DoubtChange::Ends(id) => self.in_doubt.end_for_good(*id),
            }
        }
        self.invalidated.forget_oldest();
        Ok(())
    }

    /// Knows no log any more; the next record is a first one. What is in doubt stays so. Until all was
    /// [learned](Self::learned) again no entry is judged: on the way less is known than was.
    pub(super) fn forget(&mut self) {
        self.is_relearning |= self.stamp().epoch != 0;
        self.applied = Applied::default();
    }

    pub(super) fn is_relearning(&self) -> bool {
        self.is_relearning
    }

    /// An end of the log that was read since was reached.
    pub(super) fn learned(&mut self) {
        self.is_relearning = false;
    }

    /// What tells one state from another, for the model.
    #[cfg(test)]
    pub(super) fn hash_into(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        self.applied.hash_into(hasher);
        self.invalidated.hash_into(hasher);
        self.in_doubt.hash_into(hasher);
        self.is_relearning.hash(hasher);
    }

    #[cfg(test)]
    pub(super) fn forgotten(&self) -> &super::summary::Summary {
        self.invalidated.forgotten()
    }

    /// About what it takes, without what is in doubt.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.applied.bytes() + self.invalidated.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::record::Content, fixture::append, *};

    #[test]
    fn a_hole_a_fork_and_a_repetition_are_gaps() {
        let mut table = Table::new(8);
        append(&mut table, 1, vec![]);
        append(&mut table, 1, vec![]);
        let next = Record {
            position: 3,
            epoch: 1,
            previous: table.nonce(),
            nonce: 5,
            content: Content::default(),
        };
        let skipped = Record {
            position: 4,
            ..next.clone()
        };
        let forked = Record {
            previous: 99,
            ..next.clone()
        };
        let repeated = Record {
            position: 2,
            ..next.clone()
        };
        for wrong in [skipped, forked, repeated] {
            assert_eq!(table.apply(&wrong), Err(Gap));
        }
        assert_eq!(table.apply(&next), Ok(()));
    }

    #[test]
    fn a_new_epoch_leaves_nothing_of_the_old_one_usable() {
        let mut table = Table::new(8);
        let old = append(&mut table, 1, vec![]);
        let new = append(&mut table, 2, vec![]);
        assert_eq!(table.verdict(old, &[]), Verdict::Invalid);
        assert_eq!(table.verdict(new, &[]), Verdict::Valid);
    }

    #[test]
    fn a_process_that_comes_late_refuses_what_it_cannot_judge() {
        let mut table = Table::new(8);
        let first_kept = Record {
            position: 50,
            epoch: 1,
            previous: 3,
            nonce: 4,
            content: Content::default(),
        };
        table
            .apply(&first_kept)
            .expect("the first record sets the floor");
        let judged = |position| table.verdict(Stamp { epoch: 1, position }, &[]);
        assert_eq!(judged(48), Verdict::Invalid);
        assert_eq!(judged(49), Verdict::Valid);
    }
}
