//! The calls: one after another, until nothing waits.
//!
//! While the server is quick, what waits for a call goes out together in the next one. Where it takes its time,
//! nobody waits for more than a tenth of it: another call begins beside it.

use std::{
    future::Future,
    mem,
    pin::pin,
    sync::{Arc, atomic::Ordering},
};

use tokio::time::Instant;
use tower_keep_store::{Key, StoreError};

use super::{
    Hub,
    queue::{Batch, Entry, Lane},
    reply::{Granted, Told},
    wire::{self, Call},
};
use crate::{
    buckets::Seen,
    charge::{Charges, Records},
    lease::Permits,
    place::{Decision, Source},
    rule::Rule,
};

/// Brings the queue to the server until it is empty.
pub(super) fn fly(hub: Arc<Hub>, lane: Lane) -> impl Future<Output = ()> + Send {
    // Here, not in the future: one that is dropped before it begins leaves nobody waiting either.
    let pilot = Pilot {
        hub,
        lane,
        is_done: false,
    };
    async move {
        let mut goes_on = true;
        while goes_on && let Some(batch) = pilot.next() {
            goes_on = pilot.bring(batch).await;
        }
        pilot.finish();
    }
}

/// If the runtime ends in the middle of it, those who wait are not left waiting.
struct Pilot {
    hub: Arc<Hub>,
    lane: Lane,
    is_done: bool,
}

impl Pilot {
    fn next(&self) -> Option<Batch> {
        let has_more = self.lane == Lane::Slots && self.hub.holdings.have_changed();
        self.hub.queue(self.lane).next(has_more, self.hub.deadline)
    }

    fn finish(mut self) {
        self.is_done = true;
    }

    /// Makes a call; false if it took long, and somebody else sees to the queue by now.
    async fn bring(&self, batch: Batch) -> bool {
        let (hub, lane) = (&*self.hub, self.lane);
        let mut call = pin!(call(hub, batch, lane));
        let in_time = tokio::time::timeout(hub.patience(), &mut call).await;
        if in_time.is_ok() {
            return true;
        }
        let is_relieved = lane == Lane::Usual && hub.queue(lane).relieve();
        if is_relieved && !hub.queue(lane).is_empty() {
            hub.wake(lane);
        }
        call.await;
        if is_relieved {
            hub.queue(lane).land();
        }
        !is_relieved
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        if !self.is_done {
            self.hub.queue(self.lane).abandon();
        }
    }
}

/// One call, from those who wait and back to them.
async fn call(hub: &Hub, mut batch: Batch, lane: Lane) {
    let due = still_in_time(&mut batch, hub);
    let held = match lane {
        Lane::Usual => Vec::new(),
        Lane::Slots => hub.holdings.to_tell(slots(&batch)),
    };
    if batch.entries.is_empty() && batch.returns.is_empty() && held.is_empty() {
        return;
    }
    let sent = Sent::now(hub);
    let call = Call::of(&batch, &held, hub, sent.outages);
    match send(hub, &call, due.saturating_duration_since(sent.at)).await {
        Ok(told) => {
            hub.learn(&call, &told, sent);
            let entries = batch.entries.into_iter().zip(told.granted);
            for (place, ((charges, entry), granted)) in entries.enumerate() {
                let records = call.records(place, &told.records);
                let now = told.now;
                let grant = Grant {
                    granted,
                    records,
                    now,
                };
                deliver(hub, &charges, entry, grant, sent);
            }
        }
        Err(_) => {
            hub.outages.fetch_add(1, Ordering::Relaxed);
            // They did or did not get there, and slots were or were not given: absolute numbers can be told again,
            // relative ones cannot.
            hub.holdings.not_told(&held);
        }
    }
}

/// When a call was sent, and what was known by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) seen: Seen,
    pub(super) outages: u32,
}

impl Sent {
    fn now(hub: &Hub) -> Self {
        Self {
            outages: hub.outages.load(Ordering::Relaxed),
            seen: hub.see(),
            at: Instant::now(),
        }
    }
}

/// The buckets in which slots are wanted.
fn slots(batch: &Batch) -> impl Iterator<Item = (Key, Rule)> {
    let charges = batch.entries.keys().flatten();
    charges
        .filter(|charge| charge.is_for_slots())
        .map(|charge| (charge.bucket, *charge.rule()))
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
fn deliver(hub: &Hub, charges: &Charges, entry: Entry, mut grant: Grant, sent: Sent) {
    let granted = grant.granted.count;
    let records = entry.lease.map(|_| grant.records.clone());
    let keep = |count: u64| {
        if let (Some(life), Some(records)) = (entry.lease, &records)
            && count > 0
        {
            let permits = Permits {
                count,
                sent: sent.at,
                seen: sent.seen,
                records: records.clone(),
            };
            hub.leases.put(charges, permits, life);
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
