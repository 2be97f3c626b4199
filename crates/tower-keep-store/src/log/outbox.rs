//! Invalidations on their way into the log.

use std::{
    collections::{HashSet, VecDeque},
    mem,
};

use super::{
    doubts::DoubtChange,
    record::{Change, Content},
    table::{Stamp, Table},
    target::{Mode, Target},
};

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
    written: VecDeque<Written>,
    /// What those batches say, all together.
    waiting: usize,
    /// Doubts of this process that others may have heard of.
    sent: HashSet<u64>,
}

/// A batch that stands in the log.
#[derive(Clone, Debug)]
struct Written {
    batch: Batch,
    /// The epoch of the table when the batch was sent.
    sent_in: u64,
    at: Stamp,
    nonce: u64,
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
        let ends = |doubt: &DoubtChange| match doubt {
            DoubtChange::Begins(_) => None,
            DoubtChange::Ends(id) => Some(*id),
        };
        self.queue.doubts.iter().filter_map(ends).collect()
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
        for written in &self.written {
            (&written.batch.content, written.sent_in, written.at).hash(hasher);
        }
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
        self.waiting += batch.words();
        self.written.push_back(Written {
            batch,
            sent_in,
            at,
            nonce,
        });
        (self.waiting > MOST_WRITTEN).then(|| self.merge_written())?
    }

    /// Who finds the last record in its place has found all of them.
    fn merge_written(&mut self) -> Option<Queued> {
        let mut last = self.written.pop_back()?;
        let (mut replaced, mut doubts) = (Vec::new(), Vec::new());
        let before = self.written.drain(..).map(|written| written.batch.content);
        for content in before.chain([mem::take(&mut last.batch.content)]) {
            replaced.extend(content.changes);
            doubts.extend(content.doubts);
        }
        // What has begun and ended need not be said again, should it be lost; an end that is lost costs a lease.
        let ends = |doubt: &DoubtChange| match doubt {
            DoubtChange::Begins(_) => None,
            DoubtChange::Ends(id) => Some(*id),
        };
        let ended: HashSet<u64> = doubts.iter().filter_map(ends).collect();
        doubts.retain(|doubt| matches!(doubt, DoubtChange::Begins(b) if !ended.contains(&b.id)));
        last.batch.content = Content {
            changes: vec![EVERYTHING],
            doubts,
        };
        self.waiting = last.batch.words();
        self.written.push_back(last);
        Some(Queued {
            doubted: vec![EVERYTHING],
            replaced,
        })
    }

    /// Takes out the oldest batch that the table needs no doubt for any more: it has applied the record or
    /// one behind it, or begun a later epoch, in which all that was older is refused anyway. (Of a record
    /// that founded an epoch one cannot tell whether another is later.)
    ///
    /// Where the table has found another record in that place, the server has lost ours after it was
    /// acknowledged: it is queued again.
    pub(super) fn next_settled(&mut self, table: &Table) -> Option<(Batch, Stamp)> {
        let applied = table.stamp();
        loop {
            let oldest = self.written.front()?;
            let knows_another = ![0, oldest.at.epoch].contains(&applied.epoch);
            let is_past = knows_another && oldest.sent_in == oldest.at.epoch;
            if is_past || self.written.iter().any(|written| written.has_come(table)) {
                let oldest = self.written.pop_front()?;
                self.waiting = self.waiting.saturating_sub(oldest.batch.words());
                return Some((oldest.batch, oldest.at));
            }
            if !oldest.is_lost(table) {
                return None;
            }
            let lost = self.written.pop_front()?.batch;
            self.waiting = self.waiting.saturating_sub(lost.words());
            let Content { changes, doubts } = lost.content;
            self.queue.changes.extend(changes);
            self.queue.doubts.extend(doubts);
        }
    }
}

impl Batch {
    fn words(&self) -> usize {
        1 + self.content.changes.len() + self.content.doubts.len()
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

/// What queueing did to the doubts.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) doubted: Vec<Change>,
    pub(super) replaced: Vec<Change>,
}

/// Changes that may wait; beyond that they become one: everything.
const CAPACITY: usize = 4096;

/// What may stand in the log and not have come back: as much as a reader may be behind, about 4 MB.
const MOST_WRITTEN: usize = 1 << 17;

const EVERYTHING: Change = Change {
    target: Target::EVERYTHING,
    mode: Mode::Hard,
};

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::{doubts::Begun, record::Record},
        *,
    };

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

    /// One that has applied a record at this place.
    fn table(epoch: u64, position: u64, nonce: u64) -> Table {
        let mut table = Table::new(8);
        let record = Record {
            position,
            epoch,
            nonce,
            ..Record::default()
        };
        table.apply(&record).expect("a first record");
        table
    }

    #[test]
    fn a_batch_settles_when_its_record_was_applied() {
        let mut outbox = Outbox::default();
        let (ticket, _) = push(&mut outbox, vec![change(b"a")]);
        let batch = outbox.next_batch().expect("one change waits");
        assert_eq!(batch.ticket, ticket);
        assert!(outbox.written(batch, 1, stamp(1, 7), 70).is_none());
        assert!(outbox.next_settled(&table(1, 6, 60)).is_none());
        assert!(outbox.next_settled(&table(1, 7, 70)).is_some());
        assert!(outbox.next_settled(&table(1, 7, 70)).is_none());
        assert!(outbox.next_batch().is_none());
    }

    #[test]
    fn a_batch_in_whose_place_another_record_is_found_is_written_again() {
        let mut outbox = Outbox::default();
        push(&mut outbox, vec![change(b"a")]);
        let batch = outbox.next_batch().expect("one change waits");
        assert!(outbox.written(batch.clone(), 1, stamp(1, 7), 70).is_none());
        assert!(outbox.next_settled(&table(1, 7, 71)).is_none());
        let again = outbox.next_batch().expect("it waits again");
        assert_eq!(again.content, batch.content);
        assert!(again.ticket >= batch.ticket);
    }

    #[test]
    fn a_record_that_founded_an_epoch_is_not_settled_by_the_old_one() {
        let mut outbox = Outbox::default();
        push(&mut outbox, vec![change(b"a")]);
        let batch = outbox.next_batch().expect("one change waits");
        assert!(outbox.written(batch, 1, stamp(2, 1), 21).is_none());
        assert!(outbox.next_settled(&table(1, 900, 1)).is_none());
        assert!(
            outbox.next_settled(&table(3, 1, 31)).is_none(),
            "before it or after?"
        );
        push(&mut outbox, vec![change(b"b")]);
        let batch = outbox.next_batch().expect("one change waits");
        assert!(outbox.written(batch, 3, stamp(3, 2), 32).is_none());
        let table = table(3, 2, 32);
        assert!(outbox.next_settled(&table).is_some(), "after it");
        assert!(outbox.next_settled(&table).is_some());
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
    fn what_does_not_come_back_takes_bounded_room() {
        let mut outbox = Outbox::default();
        let (mut doubted, mut last) = (0, stamp(1, 0));
        for position in 1..=40 {
            let many = (0..CAPACITY as u64).map(|i| change(&(position << 32 | i).to_be_bytes()));
            let (_, queued) = push(&mut outbox, many.collect());
            doubted += queued.doubted.len();
            let batch = outbox.next_batch().expect("it waits");
            last = stamp(1, position);
            if let Some(merged) = outbox.written(batch, 1, last, position) {
                doubted += merged.doubted.len();
                doubted -= merged.replaced.len();
            }
            let words: usize = outbox.written.iter().map(|w| w.batch.words()).sum();
            assert_eq!(words, outbox.waiting);
            assert!(words <= MOST_WRITTEN);
        }
        let table = table(1, last.position, last.position);
        while let Some((batch, _)) = outbox.next_settled(&table) {
            doubted -= batch.content.changes.len();
        }
        assert_eq!((doubted, outbox.waiting), (0, 0));
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
        assert_eq!(outbox.latest(), 1);
        assert!(outbox.withdraw(7));
        assert_eq!(outbox.latest(), 0, "nobody waits for it any more");
        assert!(outbox.next_batch().is_none());
        outbox.push(begins());
        assert!(outbox.next_batch().is_some());
        assert!(!outbox.withdraw(7));
        assert!(outbox.ending().is_empty());
        outbox.push(Content {
            changes: vec![],
            doubts: vec![DoubtChange::Ends(7)],
        });
        assert!(outbox.ending().contains(&7));
    }
}
