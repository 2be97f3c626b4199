//! Invalidations on their way into the log.

use std::{
    collections::{HashSet, VecDeque},
    mem,
};

use super::{
    doubts::DoubtChange,
    record::{Change, Content},
    table::Stamp,
    target::{Mode, Target},
};

/// What waits to be written, and what was written but has not come back through the log yet.
///
/// Both are *in doubt* in the table until they have. Tickets count the changes in the order of their
/// coming; they are written and settled in that order.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: Content,
    tickets: u64,
    written: VecDeque<Written>,
    /// Doubts of this process that others may have heard of.
    sent: HashSet<u64>,
}

/// A batch that stands in the log.
#[derive(Debug)]
struct Written {
    batch: Batch,
    /// The epoch of the table when the batch was sent.
    sent_in: u64,
    at: Stamp,
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
            let everything = Change {
                target: Target::EVERYTHING,
                mode: Mode::Hard,
            };
            let replaced = mem::replace(waiting, vec![everything]);
            let queued = Queued {
                doubted: vec![everything],
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

    /// The ticket of the latest change.
    pub(super) fn tickets(&self) -> u64 {
        self.tickets
    }

    /// Takes what is to be written next.
    pub(super) fn next_batch(&mut self) -> Option<Batch> {
        if self.queue.is_empty() {
            return None;
        }
        let content = mem::take(&mut self.queue);
        self.sent.extend(content.begun().map(|begun| begun.id));
        Some(Batch {
            content,
            ticket: self.tickets,
        })
    }

    /// The batch stands in the log.
    pub(super) fn written(&mut self, batch: Batch, sent_in: u64, at: Stamp) {
        self.written.push_back(Written { batch, sent_in, at });
    }

    /// Takes out the oldest batch that the table, at `applied`, needs no doubt for any more: it has
    /// applied the record or one behind it, or begun a later epoch, in which all that was older is
    /// refused anyway. (Of a record that founded an epoch one cannot tell whether another is later.)
    pub(super) fn next_settled(&mut self, applied: Stamp) -> Option<(Batch, Stamp)> {
        let has_come = |written: &Written| {
            applied.epoch == written.at.epoch && applied.position >= written.at.position
        };
        let oldest = self.written.front()?;
        let is_past = applied.epoch != oldest.at.epoch && oldest.sent_in == oldest.at.epoch;
        if is_past || self.written.iter().any(has_come) {
            self.written
                .pop_front()
                .map(|written| (written.batch, written.at))
        } else {
            None
        }
    }
}

/// What queueing did to the doubts.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) doubted: Vec<Change>,
    pub(super) replaced: Vec<Change>,
}

/// Changes that may wait; beyond that they become one: everything.
const CAPACITY: usize = 4096;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::doubts::Begun, *};

    fn change(name: &[u8]) -> Change {
        Change {
            target: Target::new("tag", name),
            mode: Mode::Hard,
        }
    }

    fn push(outbox: &mut Outbox, changes: Vec<Change>) -> (u64, Queued) {
        outbox.push(Content {
            changes,
            doubts: vec![],
        })
    }

    fn stamp(epoch: u64, position: u64) -> Stamp {
        Stamp { epoch, position }
    }

    #[test]
    fn a_batch_settles_when_its_record_was_applied() {
        let mut outbox = Outbox::default();
        let (ticket, _) = push(&mut outbox, vec![change(b"a")]);
        let batch = outbox.next_batch().expect("one change waits");
        assert_eq!(batch.ticket, ticket);
        outbox.written(batch, 1, stamp(1, 7));
        assert!(outbox.next_settled(stamp(1, 6)).is_none());
        assert!(outbox.next_settled(stamp(1, 7)).is_some());
        assert!(outbox.next_settled(stamp(1, 7)).is_none());
    }

    #[test]
    fn a_record_that_founded_an_epoch_is_not_settled_by_the_old_one() {
        let mut outbox = Outbox::default();
        push(&mut outbox, vec![change(b"a")]);
        let batch = outbox.next_batch().expect("one change waits");
        outbox.written(batch, 1, stamp(2, 1));
        assert!(outbox.next_settled(stamp(1, 900)).is_none());
        assert!(
            outbox.next_settled(stamp(3, 1)).is_none(),
            "before it or after?"
        );
        push(&mut outbox, vec![change(b"b")]);
        let batch = outbox.next_batch().expect("one change waits");
        outbox.written(batch, 3, stamp(3, 2));
        assert!(outbox.next_settled(stamp(3, 2)).is_some(), "after it");
        assert!(outbox.next_settled(stamp(3, 2)).is_some());
    }

    #[test]
    fn what_cannot_wait_one_by_one_becomes_everything() {
        let mut outbox = Outbox::default();
        let many: Vec<_> = (0..CAPACITY).map(|i| change(&i.to_be_bytes())).collect();
        push(&mut outbox, many.clone());
        let (ticket, queued) = push(&mut outbox, vec![change(b"one more")]);
        assert_eq!(queued.replaced, many);
        let batch = outbox.next_batch().expect("something waits");
        assert_eq!(batch.ticket, ticket);
        assert_eq!(batch.content.changes.len(), 1);
        assert_eq!(batch.content.changes[0].target, Target::EVERYTHING);
    }

    #[test]
    fn a_doubt_can_be_taken_back_until_it_is_on_its_way() {
        let mut outbox = Outbox::default();
        let begun = Begun::new(7, Duration::from_secs(1), &[]);
        let begins = || Content {
            changes: vec![],
            doubts: vec![DoubtChange::Begins(begun.clone())],
        };
        outbox.push(begins());
        assert!(outbox.withdraw(7));
        assert!(outbox.next_batch().is_none());
        outbox.push(begins());
        assert!(outbox.next_batch().is_some());
        assert!(!outbox.withdraw(7));
    }
}
