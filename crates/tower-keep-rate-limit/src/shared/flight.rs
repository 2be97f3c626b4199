//! The calls: one after another, until nothing waits.

use std::{
    mem,
    sync::{Arc, atomic::Ordering},
};

use tokio::time::Instant;
use tower_keep_store::{Key, StoreError};

use super::{
    Hub,
    queue::{Batch, Entry},
    reply::{Granted, Told},
    wire::{self, Call},
};
use crate::{
    buckets::Seen,
    charge::{Charges, Records},
    place::{Decision, Source},
};

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
            let entries = batch.entries.into_iter().zip(told.granted);
            for (place, ((charges, entry), granted)) in entries.enumerate() {
                let records = call.records(place, &told.records);
                let now = told.now;
                let grant = Grant {
                    granted,
                    records,
                    now,
                };
                deliver(hub, &charges, entry, grant, sent, seen);
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
    Told::read(&reply, call).ok_or_else(StoreError::malformed)
}

/// Lets those go who have left or have hardly any time any more (their senders are dropped); until when the
/// others wait.
fn still_in_time(batch: &mut Batch, hub: &Hub) -> Instant {
    let now = Instant::now();
    for entry in batch.entries.values_mut() {
        entry.waiters.retain(|waiter| !waiter.to.is_closed());
    }
    batch
        .entries
        .retain(|_, entry| !entry.waiters.is_empty() && entry.late > now);
    let first = batch.entries.values().map(|entry| entry.due).min();
    first.unwrap_or(now + hub.deadline)
}

/// What the server said of one entry.
struct Grant {
    granted: Granted,
    records: Records,
    now: u64,
}

impl Grant {
    /// What the next waiter is told, after `taken` were given to those before. What is known of the buckets is
    /// copied but for the last.
    fn decision(&mut self, taken: u64, want: u64, is_last: bool) -> Decision {
        let granted = want.min(self.granted.count - taken);
        let refuses = |room: &u64| taken + granted > *room;
        Decision {
            granted,
            shadows: self.granted.shadows.iter().map(refuses).collect(),
            records: match is_last {
                true => mem::take(&mut self.records),
                false => self.records.clone(),
            },
            now: self.now,
            factor: 1,
            source: Source::Store,
            held: None,
        }
    }
}

/// Gives what was granted to those who wait, in their order, and what is left to the leases.
fn deliver(
    hub: &Hub,
    charges: &Charges,
    entry: Entry,
    mut grant: Grant,
    sent: Instant,
    seen: Seen,
) {
    let granted = grant.granted.count;
    let keep = |permits: u64| {
        if let Some(terms) = entry.terms
            && permits > 0
        {
            hub.leases.put(charges, permits, sent, terms.life, seen);
        }
    };
    let wanted: u64 = entry.waiters.iter().map(|waiter| waiter.want).sum();
    // Before anybody is told: who asks again at once is to find them.
    keep(granted.saturating_sub(wanted));
    let mut taken = 0;
    let waiters = entry.waiters.len();
    for (place, waiter) in entry.waiters.into_iter().enumerate() {
        let mut decision = grant.decision(taken, waiter.want, place + 1 == waiters);
        let granted = decision.granted;
        decision.held = hub.hold(charges, granted);
        // Who has left meanwhile uses nothing: it goes to the next, and the slots back.
        if waiter.to.send(decision).is_ok() {
            taken += granted;
        }
    }
    keep(granted.min(wanted) - taken);
}
