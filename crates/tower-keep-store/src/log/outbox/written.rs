//! Batches that stand in the log and have not come back through it yet.

use std::{collections::VecDeque, mem};

use super::{
    super::{
        doubts::DoubtChange,
        record::Content,
        table::{Stamp, Table},
    },
    Batch, EVERYTHING, Queued, ended,
};

/// The oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct AllWritten {
    pub(super) batches: VecDeque<Written>,
    /// What they say, all together.
    pub(super) words: usize,
}

/// A batch that stands in the log.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) batch: Batch,
    /// The epoch of the table when the batch was sent.
    pub(super) sent_in: u64,
    pub(super) at: Stamp,
    pub(super) nonce: u64,
}

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Known {
    /// It needs no doubt any more. Where it stands.
    Settled(Batch, Stamp),
    /// The server has lost it.
    Lost(Batch),
}

impl AllWritten {
    /// Returns what that did to the doubts: when too much has not come back, all of it becomes one batch that hits
    /// everything.
    pub(super) fn push(&mut self, written: Written) -> Option<Queued> {
        self.words += written.batch.words();
        self.batches.push_back(written);
        (self.words > MOST_WRITTEN).then(|| self.merge())?
    }

    /// Who finds the last record in its place has found all of them.
    fn merge(&mut self) -> Option<Queued> {
        let mut last = self.batches.pop_back()?;
        let (mut replaced, mut doubts) = (Vec::new(), Vec::new());
        let before = self.batches.drain(..).map(|written| written.batch.content);
        for content in before.chain([mem::take(&mut last.batch.content)]) {
            replaced.extend(content.changes);
            doubts.extend(content.doubts);
        }
        // What has begun and ended need not be said again, should it be lost; an end that is lost costs a lease.
        let ended = ended(&doubts);
        doubts.retain(|doubt| matches!(doubt, DoubtChange::Begins(b) if !ended.contains(&b.id)));
        last.batch.content = Content {
            changes: vec![EVERYTHING],
            doubts,
        };
        self.words = last.batch.words();
        self.batches.push_back(last);
        Some(Queued {
            doubted: vec![EVERYTHING],
            replaced,
        })
    }

    /// Takes out the oldest batch of which the table shows what became of it.
    pub(super) fn next_known(&mut self, table: &Table) -> Option<Known> {
        let applied = table.stamp();
        let oldest = self.batches.front()?;
        let knows_another = ![0, oldest.at.epoch].contains(&applied.epoch);
        let is_past = knows_another && oldest.sent_in == oldest.at.epoch;
        if is_past || self.batches.iter().any(|written| written.has_come(table)) {
            let oldest = self.pop()?;
            return Some(Known::Settled(oldest.batch, oldest.at));
        }
        if !oldest.is_lost(table) {
            return None;
        }
        Some(Known::Lost(self.pop()?.batch))
    }

    fn pop(&mut self) -> Option<Written> {
        let oldest = self.batches.pop_front()?;
        self.words = self.words.saturating_sub(oldest.batch.words());
        Some(oldest)
    }

    #[cfg(test)]
    pub(super) fn hash_into(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        for written in &self.batches {
            (&written.batch.content, written.sent_in, written.at).hash(hasher);
        }
    }
}

impl Written {
    fn should_have_come(&self, table: &Table) -> bool {
        let applied = table.stamp();
        applied.epoch == self.at.epoch && applied.position >= self.at.position
    }

    fn has_come(&self, table: &Table) -> bool {
        self.should_have_come(table) && table.nonce_at(self.at.position) == Some(self.nonce)
    }

    /// Also if it is too long ago to be told: written twice is harmless.
    fn is_lost(&self, table: &Table) -> bool {
        self.should_have_come(table) && !self.has_come(table)
    }
}

/// What may stand in the log and not have come back: as much as a reader may be behind, about 4 MB.
pub(super) const MOST_WRITTEN: usize = 1 << 17;
