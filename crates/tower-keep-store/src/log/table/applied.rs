//! How much of the log has been applied.

use std::collections::VecDeque;

use super::{super::record::Record, Stamp};

/// The last record that was applied, and by what those before it are told.
#[derive(Clone, Debug, Default)]
pub(super) struct Applied {
    stamp: Stamp,
    nonce: u64,
    /// The nonces of the last records, the newest last.
    nonces: VecDeque<u64>,
}

impl Applied {
    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The last record's nonce.
    pub(super) fn nonce(&self) -> u64 {
        self.nonce
    }

    /// The nonce of a record that was applied, if that is not too long ago.
    pub(super) fn nonce_at(&self, position: u64) -> Option<u64> {
        let back = usize::try_from(self.stamp.position.checked_sub(position)?).ok()?;
        let index = self.nonces.len().checked_sub(back + 1)?;
        self.nonces.get(index).copied()
    }

    pub(super) fn has_taken(&self, record: &Record) -> bool {
        let is_last = record.position == self.stamp.position;
        record.position < self.stamp.position || (is_last && record.nonce == self.nonce)
    }

    pub(super) fn is_followed_by(&self, record: &Record) -> bool {
        record.position == self.stamp.position + 1 && record.previous == self.nonce
    }

    /// What was applied was another life of the log.
    pub(super) fn begin_epoch(&mut self, epoch: u64) {
        self.stamp.epoch = epoch;
        self.nonces.clear();
    }

    /// The record of this nonce, at the next position or the first.
    pub(super) fn advance(&mut self, position: u64, nonce: u64) {
        self.stamp.position = position;
        self.nonce = nonce;
        self.nonces.push_back(nonce);
        if self.nonces.len() > NONCES {
            self.nonces.pop_front();
        }
    }

    /// What tells one state from another, for the model.
    #[cfg(test)]
    pub(super) fn hash_into(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        (self.stamp, self.nonce, &self.nonces).hash(hasher);
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.nonces.capacity() * size_of::<u64>()
    }
}

/// What a writer's own record is told by when it comes back: so many others may come in between.
const NONCES: usize = 4096;
