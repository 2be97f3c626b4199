//! The buckets that processes share.
//!
//! Requests that want to be decided while a call is under way wait together and go out in the next one, in
//! their order: one script decides them all, each against all of its buckets at once. So a busy process
//! makes one call per round trip, whatever the number of its requests and keys.
//!
//! What the server tells of a bucket is remembered. Only time gives units back, so what cannot pass by what
//! was seen cannot pass on the server either, until so much time has passed: such a request is refused
//! without a call. When the server fails, this process goes on from there with its share; when it is back
//! and has forgotten, it is told.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use smallvec::SmallVec;
use tokio::{sync::oneshot, time::Instant};
use tower_keep_store::{
    Clock, InvalidationLog, Key, Mode, Processes, Server, Store, StoreError, Target, Timestamp,
    Verdict,
};

use self::{
    holdings::Holdings,
    queue::{Queue, Return, Waiter},
    reply::Told,
    wire::{Call, Called},
};
use crate::{
    buckets::{Bucket, Buckets, Denials, Locked, Seen},
    charge::{Charge, Charges},
    embedded::{charge_all, idle, records},
    lease::{Leases, Terms},
    place::{Answer, BanTerms, Decision, Manner, Source},
    rule::{Record, Rule, State, micros},
    slots::{Held, Holder, Slot},
};

mod flight;
mod holdings;
mod queue;
mod reply;
mod wire;

/// All that the rate limits of this process on one namespace of a server share.
pub(crate) struct Hub {
    server: Server,
    log: InvalidationLog,
    processes: Processes,
    clock: Clock,
    buckets: Buckets,
    leases: Leases,
    queue: Mutex<Queue>,
    holdings: Holdings,
    /// Calls that failed. What was learnt before the last of them may be forgotten on the server.
    outages: AtomicU32,
    started: Instant,
    /// The server's time less the time since the start, in microseconds: at most, and at least.
    ahead_at_most: AtomicI64,
    ahead_at_least: AtomicI64,
    deadline: Duration,
    myself: Weak<Self>,
}

/// The hub as a store's companion.
struct Companion(Arc<Hub>);

impl Hub {
    pub(crate) fn of(store: &Store, server: &Server) -> Arc<Self> {
        let make = || {
            server.prepare(&wire::CHECK);
            server.prepare(&wire::BAN);
            Companion(Arc::new_cyclic(|myself| Self {
                log: store.log().clone(),
                processes: store.processes().clone(),
                clock: store.clock().clone(),
                buckets: Buckets::of(store),
                leases: Leases::new(),
                queue: Mutex::default(),
                holdings: Holdings::default(),
                outages: AtomicU32::new(0),
                started: Instant::now(),
                ahead_at_most: AtomicI64::new(0),
                ahead_at_least: AtomicI64::new(0),
                deadline: store.step_deadline(),
                myself: myself.clone(),
                server: server.clone(),
            }))
        };
        store.companion(make).0.clone()
    }

    pub(crate) fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    pub(crate) fn decide(&self, charges: &Charges, manner: Manner) -> Answer {
        let now = Instant::now();
        if manner.epsilon.is_some()
            && self
                .leases
                .take(charges, now, |seen| self.holds(seen, charges))
        {
            return Answer::Now(self.leased(charges, now));
        }
        if manner.want > 0
            && let Some(refusal) = self.known_refusal(charges, now)
        {
            return Answer::Now(refusal);
        }
        if self.server.is_suspended() {
            return Answer::Failed;
        }
        let terms = manner
            .epsilon
            .and_then(|epsilon| Terms::of(charges, epsilon));
        let (to, decision) = oneshot::channel();
        let waiter = Waiter {
            want: manner.want,
            to,
        };
        let queued = self.queue().push(charges, waiter, terms, manner.deadline);
        if queued.is_idle {
            self.take_off();
        }
        if let Some(due) = queued.let_go {
            self.let_go_at(due);
        }
        Answer::Later(decision)
    }

    /// Decides by this process's share, from what it last knew: a unit is as many times dearer as there are
    /// processes.
    pub(crate) fn share(&self, charges: &Charges, want: u64) -> Decision {
        let now = self.now_at_most(Instant::now()).unwrap_or_else(system_time);
        let factor = u64::from(self.processes.count());
        let mut locked = self
            .buckets
            .lock(charges.iter().map(|charge| &charge.bucket));
        for charge in charges {
            let bucket = locked.entry(&charge.bucket, now);
            bucket.outages = NOT_TOLD;
            if let Rule::Slots(_) = charge.bound.rule {
                // Held here, and as many by each of the others.
                bucket.record.state = State::Slots(self.holdings.count(&charge.bucket) * factor);
            }
        }
        let (granted, shadows, records) = charge_all(&mut locked, charges, now, factor, want);
        drop(locked);
        Decision {
            granted,
            shadows,
            records,
            now,
            factor,
            source: Source::Share,
            held: self.hold(charges, granted),
        }
    }

    pub(crate) fn give_back(&self, charge: &Charge, units: i64, back: u64) {
        let given_back = Return {
            bucket: charge.bucket,
            rule: charge.bound.rule,
            units,
            back,
        };
        let is_idle = self.queue().give_back(given_back);
        if is_idle {
            self.take_off();
        }
    }

    /// Gives slots back; the server is told of what is left.
    pub(crate) fn release(&self, slots: &[Slot]) {
        for slot in slots {
            self.holdings.release(&slot.bucket, slot.units);
        }
        if self.queue().wake() {
            self.take_off();
        }
    }

    pub(crate) async fn reset(
        &self,
        bucket: &Key,
        rule: &Rule,
        store: &Store,
    ) -> Result<(), StoreError> {
        if rule.only_time_gives_back() {
            let argument = wire::reset(rule, self.given());
            let deadline = store.step_deadline();
            self.server
                .run(&wire::BAN, &[*bucket], &argument, deadline)
                .await?;
        } else {
            store.remove(bucket).await?;
        }
        if let Some(known) = self.buckets.lock([bucket].into_iter()).get(bucket) {
            known.denials = Denials::default();
        }
        self.tell(bucket, store.step_deadline()).await
    }

    pub(crate) async fn ban(
        &self,
        bucket: &Key,
        rule: &Rule,
        terms: BanTerms,
        deadline: Duration,
    ) -> Result<(), StoreError> {
        let argument = wire::ban(rule, terms, self.given());
        self.server
            .run(&wire::BAN, &[*bucket], &argument, deadline)
            .await?;
        self.keep_in_mind(bucket, terms.length);
        self.tell(bucket, deadline).await
    }

    /// Of what is not known it is assumed that nothing was used: not of this bucket, for so long.
    fn keep_in_mind(&self, bucket: &Key, length: Duration) {
        let now = self.now_at_most(Instant::now()).unwrap_or_else(system_time);
        let seen = self.see();
        let mut locked = self.buckets.lock([bucket].into_iter());
        let is_new = locked.get(bucket).is_none();
        let known = locked.entry(bucket, now);
        if is_new {
            known.seen = seen;
        }
        known.idle = known.idle.max(now.saturating_add(micros(length)));
    }

    pub(crate) fn ban_soon(&self, bucket: Key, rule: Rule, terms: BanTerms, deadline: Duration) {
        let Some(hub) = self.myself.upgrade() else {
            return;
        };
        self.server.spawn(async move {
            if let Err(error) = hub.ban(&bucket, &rule, terms, deadline).await {
                tracing::debug!(%error, "a ban could not be stored");
            }
        });
    }

    /// What all processes know of a bucket is not so any more.
    async fn tell(&self, bucket: &Key, deadline: Duration) -> Result<(), StoreError> {
        let told = self
            .log
            .append(&[target(bucket)], Mode::Hard, deadline)
            .await;
        told.map(drop)
    }

    /// The refusal, if what was seen before leaves no other answer.
    fn known_refusal(&self, charges: &Charges, moment: Instant) -> Option<Decision> {
        let now = self.now_at_most(moment)?;
        let mut locked = self
            .buckets
            .lock(charges.iter().map(|charge| &charge.bucket));
        let outages = self.outages.load(Ordering::Relaxed);
        let mut is_refused = false;
        for charge in charges {
            let Some(bucket) = locked.get(&charge.bucket) else {
                continue;
            };
            // What is said of the others has to be true as well.
            let is_so = bucket.outages == outages
                && charge.bound.rule.is_plausible(&bucket.record.state, now)
                && self.holds(&mut bucket.seen, std::slice::from_ref(charge));
            if !is_so {
                return None;
            }
            is_refused |= charge.is_refused_until_then(&bucket.record, now);
        }
        if !is_refused || !self.log.is_current() {
            return None;
        }
        let records = records(&mut locked, charges);
        Some(Decision {
            granted: 0,
            shadows: SmallVec::new(),
            records,
            // What is said of the time to wait is to be true.
            now: self.now_at_least(moment)?,
            factor: 1,
            source: Source::Known,
            held: None,
        })
    }

    /// Where the log stands now.
    fn see(&self) -> Seen {
        Seen {
            generation: self.log.generation(),
            stamp: self.log.stamp(),
        }
    }

    /// Whether nobody has said since then that it is not so any more.
    fn holds(&self, seen: &mut Seen, charges: &[Charge]) -> bool {
        let generation = self.log.generation();
        if seen.generation == generation {
            return true;
        }
        let holds = charges.iter().all(|charge| {
            self.log.verdict(seen.stamp, &[target(&charge.bucket)]) == Verdict::Valid
        });
        if holds {
            seen.generation = generation;
        }
        holds
    }

    /// Whether it is known to have been reset or banned since. (What a log that is gone said, nobody knows.)
    fn was_reset(&self, bucket: &Key, seen: Seen) -> bool {
        seen.stamp.epoch == self.log.stamp().epoch
            && self.log.verdict(seen.stamp, &[target(bucket)]) != Verdict::Valid
    }

    fn leased(&self, charges: &Charges, moment: Instant) -> Decision {
        let mut locked = self
            .buckets
            .lock(charges.iter().map(|charge| &charge.bucket));
        Decision {
            granted: 1,
            shadows: SmallVec::new(),
            records: records(&mut locked, charges),
            now: self.now_at_most(moment).unwrap_or_else(system_time),
            factor: 1,
            source: Source::Lease,
            held: None,
        }
    }

    fn hold(&self, charges: &Charges, granted: u64) -> Option<Box<Held>> {
        let held = Held::of(charges, granted, || Holder::Shared(self.myself.clone()))?;
        let is_first = self.holdings.take(held.slots());
        if is_first {
            self.server.spawn(holdings::renew(self.myself.clone()));
        }
        Some(held)
    }

    /// Remembers what the server said.
    fn learn(&self, call: &Call, told: &Told, seen: Seen, outages: u32) {
        let mut locked = self.lock(&call.buckets);
        for (called, record) in call.buckets.iter().zip(&told.records) {
            let Called { key, rule, .. } = called;
            let bucket = locked.entry(key, told.now);
            if !called.is_returnable && self.is_disputed(key, rule, record, bucket, told.now) {
                if bucket.disputed == 0 {
                    bucket.disputed = told.now;
                }
                continue;
            }
            bucket.disputed = 0;
            bucket.idle = idle(rule, record, told.now);
            bucket.record = record.clone();
            bucket.seen = seen;
            bucket.told = told.now;
            bucket.outages = outages;
        }
    }

    fn lock(&self, called: &[Called]) -> Locked<'_> {
        self.buckets.lock(called.iter().map(|called| &called.key))
    }

    /// Whether less is used than this process knew, and nobody is known to have reset it: the server may have
    /// been emptied. Then what was known stands, until the log says which it was; that takes it less than a
    /// second.
    fn is_disputed(&self, key: &Key, rule: &Rule, told: &Record, known: &Bucket, now: u64) -> bool {
        let back = |record: &Record| rule.wait(&record.state, now, rule.most_at_once());
        rule.only_time_gives_back()
            && known.seen.stamp.epoch != 0
            && (known.disputed == 0 || now < known.disputed + DISPUTE)
            && back(&known.record) > back(told)
            && !self.was_reset(key, known.seen)
    }

    /// The server's time at a moment, or a little later; nothing before it was heard of.
    fn now_at_most(&self, moment: Instant) -> Option<u64> {
        self.time(moment, &self.ahead_at_most)
    }

    /// The server's time at a moment, or a little earlier.
    fn now_at_least(&self, moment: Instant) -> Option<u64> {
        self.time(moment, &self.ahead_at_least)
    }

    fn time(&self, moment: Instant, ahead: &AtomicI64) -> Option<u64> {
        if self.clock.is_manual() {
            return Some(self.clock.now().as_micros());
        }
        let ahead = ahead.load(Ordering::Relaxed);
        (ahead != 0).then(|| micros(moment - self.started).saturating_add_signed(ahead))
    }

    /// The server said that it was `now`, some time between these moments.
    fn heard(&self, now: u64, sent: Instant, received: Instant) {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let ahead = |moment: Instant| {
            let since = micros(moment.saturating_duration_since(self.started));
            now.saturating_sub_unsigned(since)
        };
        self.ahead_at_most.store(ahead(sent), Ordering::Relaxed);
        self.ahead_at_least
            .store(ahead(received), Ordering::Relaxed);
    }

    /// The time for scripts to go by; 0 for the server's own.
    fn given(&self) -> u64 {
        if self.clock.is_manual() {
            self.clock.now().as_micros()
        } else {
            0
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that nobody waits for the longer deadline of somebody else.
    fn let_go_at(&self, due: Instant) {
        let hub = self.myself.clone();
        self.server.spawn(async move {
            tokio::time::sleep_until(due).await;
            if let Some(hub) = hub.upgrade() {
                hub.queue().let_go(Instant::now());
            }
        });
    }

    /// Starts the calls that bring the queue to the server, one after another until it is empty.
    fn take_off(&self) {
        if let Some(myself) = self.myself.upgrade() {
            self.server.spawn(flight::fly(myself));
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("processes", &self.processes)
            .finish_non_exhaustive()
    }
}

/// What the log calls a bucket.
fn target(bucket: &Key) -> Target {
    let mut name = Vec::with_capacity(24);
    bucket.push_to(&mut name);
    Target::new("rate-limit", &name)
}

fn system_time() -> u64 {
    Timestamp::from(std::time::SystemTime::now()).as_micros()
}

/// How long, in microseconds, what is known stands against what the server says.
const DISPUTE: u64 = 1_000_000;

/// Of a bucket from which this process took a share that the server has not been told of.
const NOT_TOLD: u32 = u32::MAX;
