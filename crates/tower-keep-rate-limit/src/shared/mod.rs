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
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering},
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
    flight::Sent,
    holdings::Holdings,
    queue::{Lane, Queue, Return, Waiter},
    reply::Told,
    wire::{Call, Called},
};
use crate::{
    buckets::{Bucket, Buckets, Denials, Locked, Seen},
    charge::{Charge, Charges, Records},
    embedded::{self, charge_all, idle, records},
    lease::{self, Leases},
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
    queue_for_slots: Mutex<Queue>,
    holdings: Holdings,
    /// Whether the last that was heard of the server is that it fails.
    is_failing: AtomicBool,
    /// When others were last told of a ban, in microseconds since the start.
    last_told: AtomicU64,
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
                queue_for_slots: Mutex::default(),
                is_failing: AtomicBool::new(false),
                last_told: AtomicU64::new(0),
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
        let holds = |seen: &mut Seen| self.holds(seen, charges);
        if manner.epsilon.is_some()
            && let Some(records) = self.leases.take(charges, now, holds)
        {
            return Answer::Now(self.leased(records, now));
        }
        if manner.want > 0
            && let Some(refusal) = self.known_refusal(charges, now)
        {
            return Answer::Now(refusal);
        }
        if self.server.is_suspended() {
            return Answer::Failed;
        }
        Answer::Later(self.ask(charges, manner))
    }

    /// Queues a question to the server.
    fn ask(&self, charges: &Charges, manner: Manner) -> oneshot::Receiver<Decision> {
        let lease = manner
            .epsilon
            .and_then(|epsilon| lease::life(charges, epsilon));
        let (to, decision) = oneshot::channel();
        let waiter = Waiter {
            want: manner.want,
            to,
        };
        let lane = match charges.iter().any(Charge::is_for_slots) {
            true => Lane::Slots,
            false => Lane::Usual,
        };
        let let_go = self
            .queue(lane)
            .push(charges, waiter, lease, manner.deadline);
        self.wake(lane);
        if let Some(due) = let_go {
            self.let_go_at(due, lane);
        }
        decision
    }

    /// Decides by this process's share, from what it last knew: a unit is as many times dearer as there are
    /// processes.
    pub(crate) fn share(&self, charges: &Charges, want: u64) -> Decision {
        let now = self.now_or_system();
        let factor = u64::from(self.processes.count());
        let mut locked = self
            .buckets
            .lock(charges.iter().map(|charge| &charge.bucket));
        for charge in charges {
            let bucket = locked.entry(&charge.bucket, now);
            bucket.outages = NOT_TOLD;
            if charge.is_for_slots() {
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
        self.queue(Lane::Usual).give_back(given_back);
        self.wake(Lane::Usual);
    }

    /// Gives back units that were taken from this process's share, where they were so many times dearer.
    pub(crate) fn give_back_share(&self, charge: &Charge, units: i64, factor: u64, back: u64) {
        let now = self.now_or_system();
        let units = units.saturating_mul(i64::try_from(factor).unwrap_or(i64::MAX));
        let mut locked = self.buckets.lock([&charge.bucket].into_iter());
        embedded::give_back(&mut locked, charge, now, units, back);
    }

    pub(crate) fn begins_to_fail(&self) -> bool {
        !self.is_failing.swap(true, Ordering::Relaxed)
    }

    /// Gives slots back; the server is told of what is left.
    pub(crate) fn release(&self, slots: &[Slot]) {
        for slot in slots {
            self.holdings.release(&slot.bucket, slot.units);
        }
        self.wake(Lane::Slots);
    }

    pub(crate) async fn reset(
        &self,
        bucket: &Key,
        rule: &Rule,
        store: &Store,
    ) -> Result<(), StoreError> {
        let deadline = store.step_deadline();
        if rule.only_time_gives_back() {
            let argument = wire::reset(rule, self.given());
            self.server
                .run(&wire::BAN, &[*bucket], &argument, deadline)
                .await?;
        } else {
            store.remove(bucket).await?;
        }
        if let Some(known) = self.buckets.lock([bucket].into_iter()).get(bucket) {
            known.denials = Denials::default();
        }
        self.tell(bucket, deadline).await
    }

    pub(crate) async fn ban(
        &self,
        bucket: &Key,
        rule: &Rule,
        terms: BanTerms,
        deadline: Duration,
    ) -> Result<(), StoreError> {
        self.set_ban(bucket, rule, terms, deadline).await?;
        self.tell(bucket, deadline).await
    }

    async fn set_ban(
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
        Ok(())
    }

    /// Of what is not known it is assumed that nothing was used: not of this bucket, for so long.
    fn keep_in_mind(&self, bucket: &Key, length: Duration) {
        let now = self.now_or_system();
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
            let banned = hub.set_ban(&bucket, &rule, terms, deadline).await;
            let told = match banned {
                Ok(()) if hub.may_tell() => hub.tell(&bucket, deadline).await,
                other => other,
            };
            hub.ask_again(&bucket);
            if let Err(error) = told {
                tracing::debug!(%error, "a ban could not be stored, or not be told");
            }
        });
    }

    /// Whether others are told of a ban that nobody ordered. Those who are not hear of it when they ask. There may
    /// be as many bans as a client can make up names, and each place in the log is one less for others.
    fn may_tell(&self) -> bool {
        let now = micros(self.started.elapsed());
        let last = self.last_told.load(Ordering::Relaxed);
        now >= last + BETWEEN_BANS
            && self
                .last_told
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// What is known of a bucket is no reason to refuse any more.
    fn ask_again(&self, bucket: &Key) {
        if let Some(known) = self.buckets.lock([bucket].into_iter()).get(bucket) {
            known.seen = Seen::NEVER;
        }
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
            // What is said of the others has to be true as well.
            let bucket = locked.get(&charge.bucket)?;
            let is_so = bucket.outages == outages
                && charge.rule().is_plausible(&bucket.record.state, now)
                && self.holds(&mut bucket.seen, std::slice::from_ref(charge));
            if !is_so {
                return None;
            }
            is_refused |= charge.is_refused_until_then(&bucket.record, now);
        }
        if !is_refused || !self.log.is_current_at(moment) {
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

    /// How long a call may take before another begins beside it.
    fn patience(&self) -> Duration {
        self.deadline / 10
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

    fn leased(&self, records: Records, moment: Instant) -> Decision {
        Decision {
            granted: 1,
            shadows: SmallVec::new(),
            records,
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

    /// The server answers.
    fn is_well(&self) {
        if self.is_failing.load(Ordering::Relaxed) && self.is_failing.swap(false, Ordering::Relaxed)
        {
            tracing::info!("the store answers: it decides the rate limits again");
        }
    }

    /// Remembers what the server said.
    fn learn(&self, call: &Call, told: &Told, sent: Sent) {
        let received = Instant::now();
        self.is_well();
        self.heard(told.now, sent.at, received);
        let is_late = received - sent.at > self.patience();
        let mut locked = self.lock(&call.buckets);
        for (called, record) in call.buckets.iter().zip(&told.records) {
            let Called { key, rule, .. } = called;
            let bucket = locked.entry(key, told.now);
            // By the answer to a call that began later.
            let is_overtaken = is_late && told.now < bucket.told;
            if is_overtaken {
                continue;
            }
            if !called.is_returnable && self.is_disputed(key, rule, record, bucket, told.now) {
                if bucket.disputed == 0 {
                    bucket.disputed = told.now;
                }
                continue;
            }
            bucket.disputed = 0;
            bucket.idle = idle(rule, record, told.now);
            bucket.record = record.clone();
            bucket.seen = sent.seen;
            bucket.told = told.now;
            bucket.outages = sent.outages;
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

    /// The server's time now; this machine's, before the server was heard of.
    fn now_or_system(&self) -> u64 {
        self.now_at_most(Instant::now()).unwrap_or_else(system_time)
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

    fn queue(&self, lane: Lane) -> MutexGuard<'_, Queue> {
        let queue = match lane {
            Lane::Usual => &self.queue,
            Lane::Slots => &self.queue_for_slots,
        };
        queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that nobody waits for the longer deadline of somebody else.
    fn let_go_at(&self, due: Instant, lane: Lane) {
        let hub = self.myself.clone();
        self.server.spawn(async move {
            tokio::time::sleep_until(due).await;
            if let Some(hub) = hub.upgrade() {
                hub.queue(lane).let_go(Instant::now());
            }
        });
    }

    /// Sees to it that somebody brings the queue to the server.
    fn wake(&self, lane: Lane) {
        if self.queue(lane).wake()
            && let Some(myself) = self.myself.upgrade()
        {
            self.server.spawn(flight::fly(myself, lane));
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

/// Microseconds between two bans of which others are told.
const BETWEEN_BANS: u64 = 100_000;

/// Of a bucket from which this process took a share that the server has not been told of.
const NOT_TOLD: u32 = u32::MAX;
