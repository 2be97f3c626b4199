//! The calls: one after another, until nothing waits.

use std::sync::{Arc, atomic::Ordering};

use tokio::time::Instant;
use tower_keep_store::{Key, StoreError};

use super::{
    Hub,
    queue::{Batch, Entry},
    wire::{self, Call},
};
use crate::{
    buckets::Seen,
    charge::Records,
    place::{Decision, Source},
    rule::Record,
};

/// What the server said.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) now: u64,
    pub(super) granted: Vec<u64>,
    /// For each request, how many of those each of its shadows would have let pass.
    pub(super) shadows: Vec<Vec<u64>>,
    /// The buckets of the call, in their order.
    pub(super) records: Vec<Record>,
}

/// Brings the queue to the server until it is empty.
pub(super) async fn fly(hub: Arc<Hub>) {
    let mut pilot = Pilot {
        hub,
        is_done: false,
    };
    while let Some(batch) = next(&pilot.hub) {
        call(&pilot.hub, batch).await;
    }
    pilot.is_done = true;
}

/// If the runtime ends in the middle of it, those who wait are not left waiting.
struct Pilot {
    hub: Arc<Hub>,
    is_done: bool,
}

impl Drop for Pilot {
    fn drop(&mut self) {
        if !self.is_done {
            self.hub.queue().abandon();
        }
    }
}

fn next(hub: &Hub) -> Option<Batch> {
    hub.queue().next(hub.holdings.have_changed(), hub.deadline)
}

/// One call, from those who wait and back to them.
async fn call(hub: &Hub, mut batch: Batch) {
    let due = still_in_time(&mut batch, hub);
    let held = hub.holdings.changed();
    if batch.entries.is_empty() && batch.returns.is_empty() && held.is_empty() {
        return;
    }
    let outages = hub.outages.load(Ordering::Relaxed);
    let seen = hub.see();
    let call = Call::of(&batch, &held, hub, outages);
    let sent = Instant::now();
    let deadline = due.saturating_duration_since(sent);
    match send(hub, &call, deadline).await {
        Ok(told) => {
            hub.heard(told.now, sent, Instant::now());
            hub.learn(&call, &told, seen, outages);
            for (place, entry) in batch.entries.into_iter().enumerate() {
                let grant = Grant {
                    granted: told.granted[place],
                    shadows: &told.shadows[place],
                    records: call.records(place, &told.records),
                    now: told.now,
                };
                deliver(hub, entry, &grant, sent, seen);
            }
        }
        Err(_) => {
            hub.outages.fetch_add(1, Ordering::Relaxed);
            // They did or did not get there: absolute numbers can be told again, relative ones cannot.
            hub.holdings.not_told(&held);
        }
    }
}

async fn send(hub: &Hub, call: &Call, deadline: std::time::Duration) -> Result<Told, StoreError> {
    let keys: Vec<Key> = call.buckets.iter().map(|bucket| bucket.key).collect();
    let argument = call.argument(hub.processes.id(), hub.given());
    let reply = hub
        .server
        .run(&wire::CHECK, &keys, &argument, deadline)
        .await?;
    wire::told(&reply, call).ok_or_else(StoreError::malformed)
}

/// Lets those go who have left or have hardly any time any more (their senders are dropped); until when the
/// others wait.
fn still_in_time(batch: &mut Batch, hub: &Hub) -> Instant {
    let now = Instant::now();
    for entry in &mut batch.entries {
        entry.waiters.retain(|waiter| !waiter.to.is_closed());
    }
    batch
        .entries
        .retain(|entry| !entry.waiters.is_empty() && entry.late > now);
    let first = batch.entries.iter().map(|entry| entry.due).min();
    first.unwrap_or(now + hub.deadline)
}

/// What the server said of one entry.
struct Grant<'a> {
    granted: u64,
    shadows: &'a [u64],
    records: Records,
    now: u64,
}

impl Grant<'_> {
    /// What the next waiter is told, after `taken` were given to those before.
    fn decision(&self, taken: u64, want: u64) -> Decision {
        let granted = want.min(self.granted - taken);
        let refuses = |room: &u64| taken + granted > *room;
        Decision {
            granted,
            shadows: self.shadows.iter().map(refuses).collect(),
            records: self.records.clone(),
            now: self.now,
            factor: 1,
            source: Source::Store,
            held: None,
        }
    }
}

/// Gives what was granted to those who wait, in their order, and what is left to the leases.
fn deliver(hub: &Hub, entry: Entry, grant: &Grant<'_>, sent: Instant, seen: Seen) {
    let keep = |permits: u64| {
        if let Some(terms) = entry.terms
            && permits > 0
        {
            hub.leases
                .put(&entry.charges, permits, sent, terms.life, seen);
        }
    };
    let wanted: u64 = entry.waiters.iter().map(|waiter| waiter.want).sum();
    // Before anybody is told: who asks again at once is to find them.
    keep(grant.granted.saturating_sub(wanted));
    let mut taken = 0;
    for waiter in entry.waiters {
        let mut decision = grant.decision(taken, waiter.want);
        let granted = decision.granted;
        decision.held = hub.hold(&entry.charges, granted);
        // Who has left meanwhile uses nothing: it goes to the next, and the slots back.
        if waiter.to.send(decision).is_ok() {
            taken += granted;
        }
    }
    keep(grant.granted.min(wanted) - taken);
}
