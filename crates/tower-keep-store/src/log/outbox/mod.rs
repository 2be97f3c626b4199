//! Invalidations on their way into the log.

use std::{collections::HashSet, mem};

use self::written::{AllWritten, Known, Written};
use super::{
    doubts::DoubtChange,
    record::{Change, Content},
    table::{Stamp, Table},
    target::{Mode, Target},
};

#[cfg(test)]
mod tests;
mod written;

/// What waits to be written, and what was written but has not come back through the log yet.
///
/// Both are *in doubt* in the table until they have. Tickets count the changes in the order of their
/// coming; they are written and settled in that order.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    queue: Content,
    tickets: u64,
    /// The ticket of the last batch that was taken to be written.
    taken: u64,
    written: AllWritten,
    /// Doubts of this process that others may have heard of.
    sent: HashSet<u64>,
}

/// Changes that go into one record.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub(super) content: Content,
    /// The ticket of the last of them.
    pub(super) ticket: u64,
}

impl Outbox {
    /// Queues what is to be written; returns its ticket, and what was in doubt until now and need not be any
    /// more.
    pub(super) fn push(&mut self, content: Content) -> (u64, Queued) {
        self.tickets += 1;
        let Content { changes, doubts } = content;
        // There are no more of these than the table has room for.
        self.queue.doubts.extend(doubts);
        let waiting = &mut self.queue.changes;
        if waiting.len() + changes.len() > CAPACITY {
            let replaced = mem::replace(waiting, vec![EVERYTHING]);
            let queued = Queued {
                doubted: vec![EVERYTHING],
                replaced,
            };
            return (self.tickets, queued);
        }
        waiting.extend_from_slice(&changes);
        let queued = Queued {
            doubted: changes,
            replaced: Vec::new(),
        };
        (self.tickets, queued)
    }

    /// Takes back that a doubt begins; not if anything of that was ever sent.
    pub(super) fn withdraw(&mut self, id: u64) -> bool {
        let begins = |doubt: &DoubtChange| matches!(doubt, DoubtChange::Begins(b) if b.id == id);
        self.queue.doubts.retain(|doubt| !begins(doubt));
        !self.sent.remove(&id)
    }

    /// The doubts whose end waits to be written.
    pub(super) fn ending(&self) -> HashSet<u64> {
        ended(&self.queue.doubts)
    }

    /// The ticket of the latest of what is, or was, to be written: not of what was withdrawn.
    pub(super) fn latest(&self) -> u64 {
        match self.queue.is_empty() {
            true => self.taken,
            false => self.tickets,
        }
    }

    /// Takes what is to be written next.
    pub(super) fn next_batch(&mut self) -> Option<Batch> {
        if self.queue.is_empty() {
            return None;
        }
        let content = mem::take(&mut self.queue);
        self.taken = self.tickets;
        self.sent.extend(content.begun().map(|begun| begun.id));
        Some(Batch {
            content,
            ticket: self.tickets,
        })
    }

    /// Nothing waits to be written.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    #[cfg(test)]
    pub(super) fn hash_into(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        self.queue.hash(hasher);
        self.written.hash_into(hasher);
    }

    /// The batch stands in the log, as the record of this nonce. Returns what that did to the doubts: when too
    /// much has not come back, all of it becomes one batch that hits everything.
    pub(super) fn written(
        &mut self,
        batch: Batch,
        sent_in: u64,
        at: Stamp,
        nonce: u64,
    ) -> Option<Queued> {
        self.written.push(Written {
            batch,
            sent_in,
            at,
            nonce,
        })
    }

    /// Takes out the oldest batch that the table needs no doubt for any more: it has applied the record or
    /// one behind it, or begun a later epoch, in which all that was older is refused anyway. (Of a record
    /// that founded an epoch one cannot tell whether another is later.)
    ///
    /// Where the table has found another record in that place, the server has lost ours after it was
    /// acknowledged: it is queued again.
    pub(super) fn next_settled(&mut self, table: &Table) -> Option<(Batch, Stamp)> {
        loop {
            match self.written.next_known(table)? {
                Known::Settled(batch, at) => return Some((batch, at)),
                Known::Lost(Batch { content, .. }) => {
                    self.queue.changes.extend(content.changes);
                    self.queue.doubts.extend(content.doubts);
                }
            }
        }
    }
}

impl Batch {
    fn words(&self) -> usize {
        1 + self.content.changes.len() + self.content.doubts.len()
    }
}

/// What queueing did to the doubts.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) doubted: Vec<Change>,
    pub(super) replaced: Vec<Change>,
}

/// The doubts that end here.
fn ended(doubts: &[DoubtChange]) -> HashSet<u64> {
    let ends = |doubt: &DoubtChange| match doubt {
        DoubtChange::Begins(_) => None,
        DoubtChange::Ends(id) => Some(*id),
    };
    doubts.iter().filter_map(ends).collect()
}

/// Changes that may wait; beyond that they become one: everything.
const CAPACITY: usize = 4096;

const EVERYTHING: Change = Change {
    target: Target::EVERYTHING,
    mode: Mode::Hard,
};
