//! What waits for the next call.

use std::{mem, time::Duration};

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use smallvec::SmallVec;
use tokio::{sync::oneshot, time::Instant};
use tower_keep_store::Key;

use crate::{charge::Charges, place::Decision, rule::Rule};

/// Requests, returns, and whether somebody is bringing them to the server.
#[derive(Debug, Default)]
pub(super) struct Queue {
    batch: Batch,
    is_flying: bool,
    /// Calls that take long: others have begun since, and they bring nothing any more.
    late: usize,
    /// Until when whoever is brought to the server may take.
    latest: Option<Instant>,
}

/// Which requests go out together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Those whose calls may overtake each other.
    Usual,
    /// Those that want slots. The server is told how many are held, which is true only where no other call is
    /// under way that might have been given more.
    Slots,
}

/// What goes out in one call.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) entries: Entries,
    pub(super) returns: Vec<Return>,
}

/// Requests for the same charges once, in their order.
pub(super) type Entries = IndexMap<Charges, Entry, RandomState>;

/// Units that are given back, or taken too where negative.
#[derive(Clone, Copy, Debug)]
pub(super) struct Return {
    pub(super) bucket: Key,
    pub(super) rule: Rule,
    pub(super) units: i64,
    /// When they will have come back by themselves.
    pub(super) back: u64,
}

/// Who asks for the same charges, in their order.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) waiters: SmallVec<[Waiter; 1]>,
    /// How long permits beyond those live, if any may be taken.
    pub(super) lease: Option<Duration>,
    /// When the first of them will have waited for long enough.
    pub(super) due: Instant,
    /// When there will be hardly any time left to ask.
    pub(super) late: Instant,
}

/// Who wants to know.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) want: u64,
    pub(super) to: oneshot::Sender<Decision>,
}

impl Queue {
    /// Queues a request that waits for this long. Where others have more time, and may keep it waiting, it says
    /// when the request is to be [let go](Self::let_go).
    pub(super) fn push(
        &mut self,
        charges: &Charges,
        waiter: Waiter,
        lease: Option<Duration>,
        patience: Duration,
    ) -> Option<Instant> {
        let due = Instant::now() + patience;
        let late = due - patience / 10;
        let others = self.latest;
        self.latest = others.max(Some(due));
        if let Some(entry) = self.batch.entries.get_mut(charges) {
            entry.waiters.push(waiter);
            entry.due = entry.due.min(due);
            entry.late = entry.late.min(late);
        } else {
            let entry = Entry {
                waiters: SmallVec::from_buf([waiter]),
                lease,
                due,
                late,
            };
            self.batch.entries.insert(charges.clone(), entry);
        }
        (others > Some(due)).then_some(due)
    }

    /// Lets those go who have waited for long enough: their senders are dropped.
    pub(super) fn let_go(&mut self, now: Instant) {
        self.batch.entries.retain(|_, entry| entry.due > now);
    }

    pub(super) fn give_back(&mut self, given_back: Return) {
        // While nothing gets through there is no use in remembering more and more of it.
        if self.batch.returns.len() < MOST_RETURNS {
            self.batch.returns.push(given_back);
        }
    }

    /// True if nobody is bringing the queue to the server: the caller has to see to it.
    pub(super) fn wake(&mut self) -> bool {
        !mem::replace(&mut self.is_flying, true)
    }

    /// The next call; nothing if there is nothing to bring, and then nobody does any more. One for which
    /// nobody waits may take for as long as `patience`.
    pub(super) fn next(&mut self, has_more: bool, patience: Duration) -> Option<Batch> {
        if self.is_empty() && !has_more {
            self.is_flying = false;
            self.latest = None;
            return None;
        }
        let mut batch = mem::take(&mut self.batch);
        if batch.entries.is_empty() {
            self.latest = self.latest.max(Some(Instant::now() + patience));
        }
        if batch.entries.len() > MOST_ENTRIES {
            self.batch.entries = batch.entries.split_off(MOST_ENTRIES);
        }
        Some(batch)
    }

    /// A call takes long: from now on it brings nothing, so that what waits need not wait for it. True if that
    /// may be.
    pub(super) fn relieve(&mut self) -> bool {
        if self.late >= MOST_LATE {
            return false;
        }
        self.late += 1;
        self.is_flying = false;
        true
    }

    /// One that took long is over.
    pub(super) fn land(&mut self) {
        self.late = self.late.saturating_sub(1);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batch.entries.is_empty() && self.batch.returns.is_empty()
    }

    /// Whoever brought it is gone. Those who wait are told so by their channels' end.
    pub(super) fn abandon(&mut self) {
        *self = Self::default();
    }
}

/// Entries in one call: what the server does for them at a stretch, about a millisecond, everybody else
/// waits for.
const MOST_ENTRIES: usize = 128;

const MOST_RETURNS: usize = 4096;

/// Calls beside the last one.
const MOST_LATE: usize = 64;
