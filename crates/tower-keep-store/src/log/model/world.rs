//! All there is, and what can happen next.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{
    Fault, Limits,
    process::{Process, Writer},
    server::{Kept, Server},
};
use crate::log::{
    record::{Change, Content, Record},
    table::Stamp,
    target::{Mode, Target},
};

#[derive(Clone, Debug)]
pub(super) struct World {
    server: Server,
    snapshot: Option<Vec<Record>>,
    processes: [Process; 2],
    committed: u8,
    /// Commits whose invalidation was acknowledged and still stands.
    acknowledged: u8,
    /// The stamp of the one fetch, and what it read.
    fetched: Option<(Stamp, u8)>,
    /// The entry made of it, in the shared level.
    entry: Option<(Stamp, u8)>,
    /// Doubts whose writer is dead.
    orphans: Vec<u64>,
    doubts: u64,
    /// The server lost something while a change was announced.
    is_doubt_lost: bool,
    left: Limits,
}

/// One step of one participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Announce(usize),
    Commit(usize),
    /// Queue the invalidation of what was committed.
    Invalidate(usize),
    Send(usize),
    /// The writer hears that its record stands.
    Acknowledge(usize),
    /// It hears nothing, and will write again.
    LoseReply(usize),
    CompareEnds(usize),
    Receive(usize),
    Apply(usize),
    /// The datum is read when its fetch begins: later it could only be newer.
    Fetch,
    StoreEntry,
    Crash(usize),
    EndOrphan(usize),
    WriteCheckpoint(usize),
    Filler,
    Trim,
    Flush,
    Snapshot,
    RollBack,
}

impl World {
    pub(super) fn new(limits: Limits) -> Self {
        let mut world = Self {
            server: Server::default(),
            snapshot: None,
            processes: [Process::new(), Process::new()],
            committed: 0,
            acknowledged: 0,
            fetched: None,
            entry: None,
            orphans: Vec::new(),
            doubts: 0,
            is_doubt_lost: false,
            left: limits,
        };
        // All is well at first: both have read the record that began the log.
        for i in 0..2 {
            world.take(Action::CompareEnds(i));
            world.take(Action::Receive(i));
            world.take(Action::Apply(i));
            world.take(Action::CompareEnds(i));
        }
        world
    }

    pub(super) fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.is_settled() {
            return actions;
        }
        let left = &self.left;
        let mut may = |is_possible: bool, action| {
            if is_possible {
                actions.push(action);
            }
        };
        for (i, process) in self.processes.iter().enumerate() {
            let (is_writer, doubts) = (i == left.writer, left.doubts);
            let is_idle = is_writer && process.writer == Writer::Idle;
            let is_announced = matches!(process.writer, Writer::Announced(_));
            let may_commit = left.commits > 0 && if doubts { is_announced } else { is_idle };
            may(doubts && is_idle && left.commits > 0, Action::Announce(i));
            may(may_commit, Action::Commit(i));
            let is_committed = matches!(process.writer, Writer::Committed(_));
            may(is_committed, Action::Invalidate(i));
            let has_work = process.unwritten.is_some() || !process.outbox.is_idle();
            may(process.sent.is_none() && has_work, Action::Send(i));
            may(process.sent.is_some(), Action::Acknowledge(i));
            let loses = process.sent.is_some() && left.lost_replies > 0;
            may(loses, Action::LoseReply(i));
            may(process.inbox.is_none(), Action::CompareEnds(i));
            may(process.is_behind(&self.server), Action::Receive(i));
            may(process.inbox.is_some(), Action::Apply(i));
            may(left.crashes > 0, Action::Crash(i));
            may(self.orphan_of(i).is_some(), Action::EndOrphan(i));
            may(
                left.checkpoints > 0 && process.is_current,
                Action::WriteCheckpoint(i),
            );
        }
        may(self.fetched.is_none(), Action::Fetch);
        may(
            self.fetched.is_some() && self.entry.is_none(),
            Action::StoreEntry,
        );
        let is_long = self.server.log.len() > 1;
        may(
            left.fillers > 0 && !self.server.log.is_empty(),
            Action::Filler,
        );
        may(left.trims > 0 && is_long, Action::Trim);
        may(left.flushes > 0, Action::Flush);
        may(
            left.rollbacks > 0 && self.snapshot.is_none(),
            Action::Snapshot,
        );
        may(
            left.rollbacks > 0 && self.snapshot.is_some(),
            Action::RollBack,
        );
        actions
    }

    pub(super) fn take(&mut self, action: Action) {
        let (committed, fault) = (self.committed, self.left.fault);
        match action {
            Action::Announce(i) => {
                self.doubts += 1;
                self.is_doubt_lost = false;
                self.processes[i].announce(self.doubts);
            }
            Action::Commit(i) => self.commit(i),
            Action::Invalidate(i) => {
                let process = &mut self.processes[i];
                if let Writer::Committed(id) = process.writer {
                    process.writer = Writer::Idle;
                    process.end_doubt(id, committed);
                }
            }
            Action::Send(i) => self.send(i),
            Action::Acknowledge(i) => {
                let record = self.processes[i].acknowledged();
                self.acknowledge(&record.expect("something was sent"));
            }
            Action::LoseReply(i) => {
                self.left.lost_replies -= 1;
                let process = &mut self.processes[i];
                process.unwritten = process.sent.take().map(|(batch, ..)| batch);
            }
            Action::CompareEnds(i) => {
                self.processes[i].connect(&mut self.server, committed, fault);
                self.processes[i].compare_ends(&mut self.server, committed);
            }
            Action::Receive(i) => {
                self.processes[i].connect(&mut self.server, committed, fault);
                self.processes[i].receive(&self.server);
                if !self.left.delays {
                    self.take(Action::Apply(i));
                }
            }
            Action::Apply(i) => self.processes[i].apply(&mut self.server, committed),
            Action::Fetch => {
                self.fetched = Some((self.processes[0].table.stamp(), committed));
            }
            Action::StoreEntry => self.store(),
            Action::Crash(i) => self.crash(i),
            Action::EndOrphan(i) => {
                let orphan = self.orphan_of(i);
                self.orphans.retain(|id| Some(*id) != orphan);
                self.processes[i].end_doubt(orphan, 0);
            }
            Action::WriteCheckpoint(i) => self.write_checkpoint(i),
            Action::Filler => {
                self.left.fillers -= 1;
                let filler = Change {
                    target: Target::from_bits(9),
                    mode: Mode::Hard,
                };
                let content = Content {
                    changes: vec![filler],
                    doubts: vec![],
                };
                self.server.append(content, 0, 0);
            }
            Action::Trim => {
                self.left.trims -= 1;
                let keep = self.server.log.len() - 1;
                self.server.log.drain(..keep);
            }
            Action::Flush => {
                self.left.flushes -= 1;
                self.is_doubt_lost = true;
                self.server.log.clear();
                self.server.checkpoint = None;
            }
            Action::Snapshot => self.snapshot = Some(self.server.log.clone()),
            Action::RollBack => self.roll_back(),
        }
    }

    /// See the [module](super).
    pub(super) fn is_violated(&self) -> bool {
        let Some((stamp, version)) = self.entry else {
            return false;
        };
        self.processes.iter().any(|process| {
            let has_caught_up = self
                .server
                .head()
                .is_some_and(|head| process.has_applied(head));
            let must_know = if !has_caught_up {
                process.known
            } else if self.left.doubts && !self.is_doubt_lost {
                self.committed
            } else {
                process.known.max(self.acknowledged)
            };
            // What stands in for an origin that fails is judged also while nobody knows what is missing.
            let must_know = if process.is_current {
                must_know
            } else {
                process.known
            };
            version < must_know && process.judges_valid(stamp, self.left.fault)
        })
    }

    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.server, &self.snapshot, &self.orphans).hash(&mut hasher);
        (self.committed, self.acknowledged, self.fetched, self.entry).hash(&mut hasher);
        (self.doubts, self.is_doubt_lost).hash(&mut hasher);
        let left = &self.left;
        let server = [left.fillers, left.trims, left.checkpoints, left.flushes];
        let others = [
            left.rollbacks,
            left.crashes,
            left.lost_replies,
            left.commits,
        ];
        (server, others).hash(&mut hasher);
        for process in &self.processes {
            process.hash_into(&mut hasher);
        }
        hasher.finish()
    }

    fn commit(&mut self, i: usize) {
        let process = &mut self.processes[i];
        let id = match process.writer {
            Writer::Announced(id) => Some(id),
            _ => None,
        };
        process.writer = Writer::Committed(id);
        self.left.commits -= 1;
        self.committed += 1;
    }

    fn send(&mut self, i: usize) {
        let process = &mut self.processes[i];
        let Some(batch) = process.next_batch() else {
            return;
        };
        let sent_in = process.table.stamp().epoch;
        let mut content = batch.content.clone();
        if self.left.fault == Fault::NoDoubts {
            content.doubts.clear();
        }
        let record = self.server.append(content, 0, self.committed);
        process.sent = Some((batch, sent_in, record));
    }

    fn acknowledge(&mut self, record: &Record) {
        let stands = self
            .server
            .log
            .iter()
            .any(|kept| kept.nonce == record.nonce);
        let is_newer = self
            .server
            .head()
            .is_some_and(|head| head.epoch != record.epoch);
        if !record.content.changes.is_empty() && (stands || is_newer) {
            let covers = self.server.covers(record);
            self.acknowledged = self.acknowledged.max(covers);
        }
    }

    fn store(&mut self) {
        self.entry = self.fetched;
        if self.left.fault == Fault::LateStamp
            && let Some((stamp, _)) = &mut self.entry
        {
            *stamp = self.processes[0].table.stamp();
        }
    }

    /// Nothing stale can come of it any more. (What is fetched before the log is known is not stored.)
    fn is_settled(&self) -> bool {
        let version = self.fetched.map_or(self.committed, |(_, version)| version);
        let is_newest = self.left.commits == 0 && version == self.committed;
        is_newest || self.fetched.is_some_and(|(stamp, _)| stamp.epoch == 0)
    }

    fn crash(&mut self, i: usize) {
        self.left.crashes -= 1;
        let process = &mut self.processes[i];
        if let Writer::Announcing(id) | Writer::Announced(id) | Writer::Committed(Some(id)) =
            process.writer
        {
            self.orphans.push(id);
        }
        *process = Process::new();
        if i == 0 && self.entry.is_none() {
            self.fetched = None;
        }
    }

    /// A doubt that this process sees run out: its writer is dead.
    fn orphan_of(&self, i: usize) -> Option<u64> {
        let open = self.processes[i].open_doubts();
        self.orphans.iter().copied().find(|id| open.contains(id))
    }

    fn write_checkpoint(&mut self, i: usize) {
        self.left.checkpoints -= 1;
        let process = &self.processes[i];
        let checkpoint = process.table.checkpoint();
        let kept = self.server.checkpoint.as_ref().map(Kept::read);
        let is_older = kept.is_some_and(|kept| {
            kept.at.epoch == checkpoint.at.epoch && kept.at.position >= checkpoint.at.position
        });
        if !is_older {
            self.server.checkpoint = Some(Kept {
                bytes: checkpoint.encode(),
            });
        }
    }

    /// Back to the snapshot, without the records since; the checkpoint stays.
    fn roll_back(&mut self) {
        self.left.rollbacks -= 1;
        self.server.run_id += 1;
        self.is_doubt_lost = true;
        self.server.log = self.snapshot.take().unwrap_or_default();
        let hits = self
            .server
            .log
            .iter()
            .filter(|r| !r.content.changes.is_empty());
        let kept = hits.map(|record| self.server.covers(record)).max();
        self.acknowledged = self.acknowledged.min(kept.unwrap_or(0));
    }
}
