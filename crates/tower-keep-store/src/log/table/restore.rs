//! A table that begins where another was.

use super::{super::checkpoint::Checkpoint, Table};

impl Table {
    /// All that a process needs that begins here.
    pub(in crate::log) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            at: self.stamp(),
            nonce: self.nonce(),
            floor: self.invalidated.floor_without_summary(),
            everything: self.invalidated.everything(),
            targets: self.invalidated.targets().collect(),
            doubts: self.in_doubt.open().cloned().collect(),
        }
    }

    /// Begins with a checkpoint. What was known so far may have been another history, so entries from that
    /// far back are not judged any more.
    pub(in crate::log) fn restore(&mut self, checkpoint: &Checkpoint) {
        let (at, before) = (checkpoint.at, self.stamp());
        let known = match before.epoch {
            epoch if epoch == at.epoch => before.position + 1,
            _ => 0,
        };
        self.applied.begin_epoch(at.epoch);
        self.applied.advance(at.position, checkpoint.nonce);
        let floor = checkpoint.floor.max(known);
        self.invalidated
            .restore(floor, checkpoint.everything, &checkpoint.targets);
        for begun in &checkpoint.doubts {
            self.in_doubt.begin(begun);
        }
    }
}
