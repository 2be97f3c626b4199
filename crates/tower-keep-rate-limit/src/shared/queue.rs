//! What waits for the next call.

use std::{collections::HashMap, mem};

use smallvec::SmallVec;
use tokio::{sync::oneshot, time::Instant};
use tower_keep_store::Key;

use crate::{charge::Charges, lease::Terms, place::Decision, rule::Rule};

/// Requests, returns, and whether somebody is bringing them to the server.
#[derive(Debug, Default)]
pub(super) struct Queue {
    batch: Batch,
    index: HashMap<Charges, usize>,
    is_flying: bool,
}

/// What goes out in one call.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) returns: Vec<Return>,
}

/// Units that are given back, or taken too where negative.
#[derive(Clone, Copy, Debug)]
pub(super) struct Return {
    pub(super) bucket: Key,
    pub(super) rule: Rule,
    pub(super) units: i64,
    /// When they will have come back by themselves.
    pub(super) back: u64,
}

/// Requests for the same charges, in their order.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) charges: Charges,
    pub(super) waiters: SmallVec<[Waiter; 1]>,
    /// How permits beyond those may be taken.
    pub(super) terms: Option<Terms>,
    /// When the first of them will have waited for long enough.
    pub(super) due: Instant,
}

/// Who wants to know.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) want: u64,
    pub(super) to: oneshot::Sender<Decision>,
}

impl Queue {
    /// Queues a request. True if nobody is bringing the queue to the server: the caller has to see to it.
    pub(super) fn push(
        &mut self,
        charges: &Charges,
        waiter: Waiter,
        terms: Option<Terms>,
        due: Instant,
    ) -> bool {
        if let Some(entry) = self.index.get(charges) {
            self.batch.entries[*entry].waiters.push(waiter);
        } else {
            self.index.insert(charges.clone(), self.batch.entries.len());
            self.batch.entries.push(Entry {
                charges: charges.clone(),
                waiters: SmallVec::from_buf([waiter]),
                terms,
                due,
            });
        }
        self.wake()
    }

    pub(super) fn give_back(&mut self, given_back: Return) -> bool {
        // While nothing gets through there is no use in remembering more and more of it.
        if self.batch.returns.len() < MOST_RETURNS {
            self.batch.returns.push(given_back);
        }
        self.wake()
    }

    /// True if nobody is bringing the queue to the server: the caller has to see to it.
    pub(super) fn wake(&mut self) -> bool {
        !mem::replace(&mut self.is_flying, true)
    }

    /// The next call; nothing if there is nothing to bring, and then nobody does any more.
    pub(super) fn next(&mut self, has_more: bool) -> Option<Batch> {
        if self.batch.entries.is_empty() && self.batch.returns.is_empty() && !has_more {
            self.is_flying = false;
            return None;
        }
        let mut batch = mem::take(&mut self.batch);
        self.index.clear();
        if batch.entries.len() > MOST_ENTRIES {
            self.batch.entries = batch.entries.split_off(MOST_ENTRIES);
            let left = self.batch.entries.iter().enumerate();
            self.index
                .extend(left.map(|(place, entry)| (entry.charges.clone(), place)));
        }
        Some(batch)
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
