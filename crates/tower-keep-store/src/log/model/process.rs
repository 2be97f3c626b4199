//! One process: the real table and outbox, and what the reader and the writer do with them.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use super::{
    Fault,
    server::{Kept, Server},
};
use crate::log::{
    doubts::{Begun, DoubtChange},
    outbox::{Batch, Outbox},
    record::{Change, Content, Record},
    table::{Stamp, Table, Verdict},
    target::{Mode, Target},
};

#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) table: Table,
    pub(super) outbox: Outbox,
    cursor: u64,
    pub(super) is_current: bool,
    is_provisional: bool,
    /// An end of the log that is to be reached, and its nonce.
    goal: Option<(Stamp, u64)>,
    /// The server that it is connected to.
    run_id: Option<u8>,
    forgotten: u64,
    /// What a read brought, to be applied.
    pub(super) inbox: Option<Record>,
    /// What was sent, and where it stands.
    pub(super) sent: Option<(Batch, u64, Record)>,
    pub(super) unwritten: Option<Batch>,
    pub(super) writer: Writer,
    /// It has heard that so much had been committed.
    pub(super) known: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Writer {
    Idle,
    /// The announcement is on its way.
    Announcing(u64),
    Announced(u64),
    Committed(Option<u64>),
}

pub(super) fn datum() -> Target {
    Target::from_bits(7)
}

fn hit() -> Change {
    Change {
        target: datum(),
        mode: Mode::Hard,
    }
}

impl Process {
    pub(super) fn new() -> Self {
        Self {
            // So small that a filler makes it forget the datum.
            table: Table::new(1),
            outbox: Outbox::default(),
            cursor: 0,
            is_current: false,
            is_provisional: false,
            goal: None,
            run_id: None,
            forgotten: 0,
            inbox: None,
            sent: None,
            unwritten: None,
            writer: Writer::Idle,
            known: 0,
        }
    }

    pub(super) fn judges_valid(&self, stamp: Stamp, fault: Fault) -> bool {
        let stamp = match fault {
            Fault::NoPositions if stamp.epoch == self.table.stamp().epoch => self.table.stamp(),
            _ => stamp,
        };
        let judge = |table: &Table| table.verdict(stamp, &[datum()]) == Verdict::Valid;
        if fault != Fault::EarlyJudge {
            return judge(&self.table);
        }
        let mut table = self.table.clone();
        table.learned();
        judge(&table)
    }

    /// Puts content on its way; what it hits is in doubt here at once.
    fn queue(&mut self, content: Content) {
        let begun: Vec<_> = content.begun().cloned().collect();
        let (_, queued) = self.outbox.push(content);
        self.table.doubt_all(&queued.doubted);
        self.table.settle(&queued.replaced);
        begun
            .iter()
            .for_each(|begun| self.table.doubts().begin(begun));
    }

    pub(super) fn announce(&mut self, id: u64) {
        self.writer = Writer::Announcing(id);
        let begun = Begun::new(id, Duration::from_secs(1), &[datum()]);
        self.queue(Content {
            changes: vec![],
            doubts: vec![DoubtChange::Begins(begun)],
        });
    }

    pub(super) fn end_doubt(&mut self, id: Option<u64>, committed: u8) {
        self.known = self.known.max(committed);
        self.queue(Content {
            changes: vec![hit()],
            doubts: id.map(DoubtChange::Ends).into_iter().collect(),
        });
    }

    pub(super) fn next_batch(&mut self) -> Option<Batch> {
        self.unwritten.take().or_else(|| self.outbox.next_batch())
    }

    /// The writer hears that its record stands.
    pub(super) fn acknowledged(&mut self) -> Option<Record> {
        let (batch, sent_in, record) = self.sent.take()?;
        let at = Stamp {
            epoch: record.epoch,
            position: record.position,
        };
        let is_announcement = |id| batch.content.begun().any(|begun| begun.id == id);
        if let Writer::Announcing(id) = self.writer
            && is_announcement(id)
        {
            self.writer = Writer::Announced(id);
        }
        let merged = self.outbox.written(batch, sent_in, at, record.nonce);
        assert!(merged.is_none(), "so much is never written here");
        self.settle();
        Some(record)
    }

    fn settle(&mut self) {
        while let Some((batch, _)) = self.outbox.next_settled(&self.table) {
            self.table.settle(&batch.content.changes);
        }
    }

    /// A connection does not outlive its server. On a new one the reader asks whose it is.
    pub(super) fn connect(&mut self, server: &mut Server, committed: u8, fault: Fault) {
        self.goal = None;
        let known = self.run_id.replace(server.run_id);
        let is_other = known.is_some_and(|known| known != server.run_id);
        let epoch = self.table.stamp().epoch;
        let ended = if epoch == 0 { self.forgotten } else { epoch };
        if is_other && ended != 0 && fault != Fault::NoServerId {
            self.is_current = false;
            let head = server.append(Content::default(), ended, committed);
            self.cursor = if epoch == 0 { 0 } else { head.position - 1 };
        }
    }

    /// Holds the end of the log against what was applied, as the reader does.
    pub(super) fn compare_ends(&mut self, server: &mut Server, committed: u8) {
        let head = server.end(committed);
        if self.table.stamp().epoch == 0 && self.cursor == 0 {
            self.restore(server.checkpoint.as_ref(), &head);
        }
        let applied = self.table.stamp();
        if applied.epoch != head.epoch {
            if self.cursor >= head.position {
                (self.cursor, self.is_current) = (0, false);
            }
        } else if applied.position == head.position && self.table.nonce() == head.nonce {
            (self.is_current, self.is_provisional) = (true, false);
            self.cursor = applied.position;
            self.goal = None;
            self.table.learned();
        } else if applied.position < head.position {
            self.cursor = applied.position;
            let at = Stamp {
                epoch: head.epoch,
                position: head.position,
            };
            self.goal.get_or_insert((at, head.nonce));
        } else if self.is_provisional {
            self.start_over();
        } else {
            self.begin_epoch(server, committed);
        }
    }

    pub(super) fn is_behind(&self, server: &Server) -> bool {
        self.inbox.is_none() && server.after(self.cursor).is_some()
    }

    pub(super) fn receive(&mut self, server: &Server) {
        self.inbox = server.after(self.cursor).cloned();
    }

    pub(super) fn apply(&mut self, server: &mut Server, committed: u8) {
        let Some(record) = self.inbox.take() else {
            return;
        };
        let before = self.table.stamp();
        let covers = server.covers(&record);
        let is_new = record.epoch != before.epoch || record.position > before.position;
        if self.table.apply(&record).is_ok() {
            let is_hit = !record.content.changes.is_empty();
            if is_new && is_hit {
                self.known = self.known.max(covers);
            }
            (self.cursor, self.is_provisional) = (record.position, false);
            if before.epoch != self.table.stamp().epoch {
                self.announce_again();
            }
            self.look_at_goal();
        } else if self.is_provisional {
            self.start_over();
        } else if record.epoch == before.epoch && record.position > before.position + 1 {
            self.is_current = false;
            let head = server.end(committed);
            if !self.restore(server.checkpoint.as_ref(), &head) {
                self.start_over();
            }
        } else {
            self.begin_epoch(server, committed);
        }
        self.settle();
    }

    fn look_at_goal(&mut self) {
        let (Some((end, nonce)), applied) = (self.goal, self.table.stamp()) else {
            return;
        };
        if applied.epoch == end.epoch && applied.position < end.position {
            return;
        }
        if applied.epoch == end.epoch && self.table.nonce_at(end.position) == Some(nonce) {
            self.is_current = true;
            self.table.learned();
        }
        self.goal = None;
    }

    fn announce_again(&mut self) {
        let (Writer::Announcing(id) | Writer::Announced(id) | Writer::Committed(Some(id))) =
            self.writer
        else {
            return;
        };
        let begun = self.table.open_doubts().find(|begun| begun.id == id);
        if let Some(begun) = begun.cloned() {
            self.queue(Content {
                changes: vec![],
                doubts: vec![DoubtChange::Begins(begun)],
            });
        }
    }

    fn restore(&mut self, kept: Option<&Kept>, head: &Record) -> bool {
        let Some(kept) = kept else { return false };
        let checkpoint = kept.read();
        let applied = self.table.stamp();
        let is_ahead = applied.epoch != head.epoch || applied.position < checkpoint.at.position;
        let fits = checkpoint.at.epoch == head.epoch && checkpoint.at.position <= head.position;
        if !(fits && is_ahead) {
            return false;
        }
        self.table.restore(&checkpoint);
        self.goal = None;
        (self.cursor, self.is_provisional) = (checkpoint.at.position, true);
        true
    }

    fn start_over(&mut self) {
        self.forgotten = self.table.stamp().epoch;
        self.table.forget();
        (self.cursor, self.is_current, self.is_provisional) = (0, false, false);
        self.goal = None;
    }

    fn begin_epoch(&mut self, server: &mut Server, committed: u8) {
        let epoch = self.table.stamp().epoch;
        let head = server.append(Content::default(), epoch, committed);
        self.cursor = head.position - 1;
        self.goal = None;
    }

    pub(super) fn has_applied(&self, head: &Record) -> bool {
        let at = self.table.stamp();
        at.epoch == head.epoch && at.position == head.position && self.table.nonce() == head.nonce
    }

    pub(super) fn open_doubts(&self) -> HashSet<u64> {
        self.table.open_doubts().map(|begun| begun.id).collect()
    }

    pub(super) fn hash_into(&self, hasher: &mut DefaultHasher) {
        self.table.hash_into(hasher);
        self.outbox.hash_into(hasher);
        (
            self.cursor,
            self.is_current,
            self.is_provisional,
            self.goal,
            self.run_id,
        )
            .hash(hasher);
        (&self.inbox, self.writer, self.known).hash(hasher);
        let sent = self.sent.as_ref();
        let sent = sent.map(|(batch, sent_in, record)| (&batch.content, sent_in, record));
        sent.hash(hasher);
        self.unwritten
            .as_ref()
            .map(|batch| &batch.content)
            .hash(hasher);
        hasher.write_u8(0);
    }
}
