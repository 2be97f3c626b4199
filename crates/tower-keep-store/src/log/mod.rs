//! The invalidation log: one idea for everything that can be invalidated.
//!
//! *An entry is usable only if nothing that it depends on was invalidated after its fetch began.*
//!
//! [`InvalidationLog::append`] writes one record, whatever the number of entries concerned. Every
//! process folds the records into a bounded table. An entry carries the [`Stamp`] that its process
//! had reached when its fetch began, and the [`Target`]s it depends on; the table refuses it if one of
//! them was hit later. So a fetch that began before an invalidation and was stored after it is never
//! served, and a check costs no round trip.
//!
//! ## On Redis
//!
//! The log is one stream, `namespace:log`, mostly a few minutes and at most about 65 000 records long, with a
//! time to live of a day that every process renews. Records count from 1 without a hole, and each repeats a random
//! number of the one before: a process that missed something, or whose server came back with another
//! history, notices at the next record or the next heartbeat (four a second) and starts a new *epoch*,
//! in which no older entry is usable. A lost log costs misses. A log of another epoch that does not go on from
//! what a process has applied is never taken over: it may be an older one, come back with its server.
//!
//! A record that cannot be written now (Redis is down) waits in this process, which refuses the
//! entries concerned meanwhile, and is written when Redis is back. Writing a record twice is harmless.
//! Other processes go on with their first level for at most the staleness bound (5 s unless set),
//! because for that long they may not have noticed.
//!
//! ## Checkpoints
//!
//! Now and then (after 1024 records and a minute, or 16 384 records, both with jitter) a process writes its folded
//! table down, under `namespace:log:checkpoint` (17 bytes a target, at most about 1.2 MB), and cuts the log to what
//! came after the checkpoint before. Others see that it was done and wait for their turn. A checkpoint never
//! replaces one of the same epoch that is newer. Who comes new begins with the checkpoint, if it is of the log's epoch
//! and not past its end, and reads on from there; it is believed when the next record repeats its nonce, or its
//! nonce is that of the last record. Any other checkpoint (cut, altered, foreign, of another history) is
//! passed over, and entries older than the log itself are refused then: misses.
//!
//! A process that falls so far behind that the log was cut before it could read on does the same, and
//! does not judge entries from before that any more. The others are not concerned.
//!
//! ## Catching up
//!
//! What the log says reaches a process about a millisecond after it was written; until then it goes by what
//! it knew. [`InvalidationLog::catch_up`] closes that gap for who asks ([`Consistency::Strict`]): it reads the
//! last record of the log (`XREVRANGE … COUNT 1`) on a connection that requests share, and waits until the
//! table has come to it; after 2 ms without news from the reader it reads on by itself, within the epoch.
//! Whatever else it finds (no log, another epoch, a position that was passed already, another nonce) is an
//! error, and nothing stored is used.
//!
//! ## Doubts
//!
//! Between the commit of a change and its record others may be served the state before. Who cannot have
//! that puts the targets *in doubt* before the change ([`InvalidationLog::doubt`]): a record makes every
//! process refuse them, another, after the commit, ends the doubt and hits them hard. Only a record ends a
//! doubt. If its writer is lost, each process that has waited for the lease, by its own monotonic clock and
//! with some jitter, writes the end in its place (twice is harmless). A doubt outlives a lost log in the
//! processes that know it, and its writer announces it again in the new epoch. A begin that reaches the
//! server late, after its own end (a time-out, then a second try), is a doubt that nobody ends: the lease
//! does.
//!
//! ## Versions side by side
//!
//! A word of a record that a process does not know counts as an invalidation of everything, in that process.
//! The version before doubts takes a record with one for a gap, and begins a new epoch: during a rolling
//! deploy each doubt costs all entries, and the processes of the old version do not hold it.
//!
//! ## The table
//!
//! Remembers 65 536 targets one by one, with the last positions at which they were hit. A target that has to make
//! room leaves its position in a summary, a Bloom filter of positions: what it costs are false refusals of entries
//! that are older than that, never a stale answer. It takes 6 MB at most, and 17 more once something was forgotten.
//! Of entries of four targets none of which was invalidated, of any age up to their lifetime, are refused
//! (`log/figures.rs`; in brackets what it would be if the forgotten only raised a floor):
//!
//! | invalidations a second | 10 s | 60 s | 600 s | 3600 s |
//! |---|---|---|---|---|
//! | 1, 100 | 0 | 0 | 0 | 0; 0.24 % (82 %) |
//! | 10 000, of 100 000 targets | 0 | 0.01 % (82 %) | 0.03 % (98 %) | 0.04 % (100 %) |
//! | 10 000, each of another target | 0 (34 %) | 2 % (89 %) | 81 % (99 %) | 97 % (100 %) |
//!
//! ## What remains
//!
//! Without a doubt: between the commit of a change and its record. The record must be awaited before the
//! change is reported as done; a process that dies between the two takes the record with it. All else is in
//! the proof, at the end of the crate's documentation.
//!
//! A record that waited for Redis to come back reaches the others only then: between their reading the
//! log again and its being written (about a tenth of a second) they may use what it will retire.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

pub use self::{
    consistency::Consistency,
    doubt::Doubt,
    feed::{Heard, Invalidation, Invalidations},
    table::{Moment, Stamp, Verdict},
    target::{Mode, Target},
};
use self::{
    doubts::Begun,
    feed::Feed,
    record::{Change, Content, Record},
    shared::{Shared, Tasks},
    table::{Gap, Table},
};
use crate::{error::StoreError, redis::Redis};

mod checkpoint;
mod consistency;
mod doubt;
mod doubts;
mod feed;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod model;
mod outbox;
mod record;
pub(crate) mod shared;
mod summary;
mod table;
mod target;

/// A handle to the log of one namespace. Clones share it.
///
/// What remains: a process that dies between a change and its record, or before a record that waits for
/// Redis could be written, takes the record with it, unless it announced a [`Doubt`]; and if Redis comes back
/// from an older snapshot while no process lives that knows better, records since then are lost. Entries older
/// than that are then used until their lifetime ends. See the proof at the end of the [crate's
/// documentation](crate).
///
/// On Redis a process reads the log with one blocking `XREAD` on a connection of its own, asks for its end (one
/// script) four times a second, renews it each minute, and asks each new connection for the server's run id. Another
/// server begins a new epoch: after a restart or a fail-over nothing that is older is used.
#[derive(Clone)]
pub struct InvalidationLog {
    folded: Arc<Folded>,
    shared: Option<Arc<Tasks>>,
}

impl InvalidationLog {
    pub(crate) fn embedded() -> Self {
        let folded = Arc::new(Folded::default());
        folded
            .apply(&Record {
                position: 1,
                epoch: random(),
                previous: 0,
                nonce: 0,
                content: Content::default(),
            })
            .expect("the first record follows nothing");
        Self {
            folded,
            shared: None,
        }
    }

    pub(crate) fn shared(redis: Arc<Redis>, namespace: &str, staleness_bound: Duration) -> Self {
        let folded = Arc::new(Folded::default());
        let tasks = Shared::start(redis, namespace, folded.clone(), staleness_bound);
        Self {
            folded,
            shared: Some(Arc::new(tasks)),
        }
    }

    /// What a fetch that begins now has to carry.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.folded.read().stamp()
    }

    /// Counts the changes of the table. A verdict stays true while this number stays the same; read
    /// it *before* asking for the verdict.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.folded.generation.load(Ordering::Acquire)
    }

    /// Waits until the table is not as it was at this [generation](Self::generation) any more.
    pub async fn changed(&self, since: u64) {
        loop {
            let mut changed = std::pin::pin!(self.folded.changed.notified());
            changed.as_mut().enable();
            if self.generation() != since {
                return;
            }
            changed.await;
        }
    }

    /// Judges what was fetched at `stamp` and depends on `targets` (and, as all does, on
    /// [`Target::EVERYTHING`]).
    #[must_use]
    pub fn verdict(&self, stamp: Stamp, targets: &[Target]) -> Verdict {
        self.folded.read().verdict(stamp, targets)
    }

    /// Takes note of when somebody asks; see [`may_answer`](Self::may_answer).
    #[must_use]
    pub fn moment(&self) -> Moment {
        // Under the lock no change can come between the two.
        let table = self.folded.read();
        table.moment(self.generation())
    }

    /// Whether what a fetch brought that began at `fetched` may answer who asked at `asked`, although it
    /// may have been invalidated *since*: both were under way then.
    #[must_use]
    pub fn may_answer(&self, fetched: Moment, asked: Moment, targets: &[Target]) -> bool {
        self.folded.read().may_answer(fetched, asked, targets)
    }

    /// Whether verdicts take account of all that was written up to the staleness bound ago. If not,
    /// what could have been invalidated elsewhere must not be used.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.shared
            .as_ref()
            .is_none_or(|shared| shared.log().is_current())
    }

    /// The same, for whoever has looked at the clock already: `now` is this moment.
    #[must_use]
    pub fn is_current_at(&self, now: Instant) -> bool {
        self.shared
            .as_ref()
            .is_none_or(|shared| shared.log().is_current_at(now))
    }

    /// Waits until this process has applied all that stood in the log when this was called: what was appended
    /// elsewhere before, and told to stand there, is in every verdict afterwards. For
    /// [`Consistency::Strict`].
    ///
    /// One round trip on a connection that requests share, together with theirs; one more if the process
    /// lags, or several if it lags far. None on an embedded store.
    ///
    /// # Errors
    ///
    /// That could not be brought about within `deadline`: nothing stored should be used.
    pub async fn catch_up(&self, deadline: Duration) -> Result<(), StoreError> {
        match &self.shared {
            Some(shared) => shared.log().catch_up(deadline).await,
            None => Ok(()),
        }
    }

    /// Invalidates `targets`: at once in this process, and everywhere once this returns `Ok` and the
    /// record has travelled (about a millisecond). `deadline` bounds the wait.
    ///
    /// Dropping the future does not take the invalidation back. Returns where the record stands, or a
    /// place after it.
    ///
    /// # Errors
    ///
    /// The record is not known to stand in the log yet. It stays in force in this process, and goes
    /// on being written until it does.
    pub async fn append(
        &self,
        targets: &[Target],
        mode: Mode,
        deadline: Duration,
    ) -> Result<Stamp, StoreError> {
        let changes = targets.iter().map(|&target| Change { target, mode });
        self.write(changes.collect(), deadline).await
    }

    /// As [`append`](Self::append), each target in a mode of its own; still one record.
    ///
    /// # Errors
    ///
    /// The record is not known to stand in the log yet.
    pub async fn append_each(
        &self,
        changes: &[(Target, Mode)],
        deadline: Duration,
    ) -> Result<Stamp, StoreError> {
        let change = |&(target, mode): &(Target, Mode)| Change { target, mode };
        self.write(changes.iter().map(change).collect(), deadline)
            .await
    }

    /// As [`append`](Self::append), for who cannot wait: in force here at once, and written soon.
    pub fn queue(&self, targets: &[Target], mode: Mode) {
        let changes: Vec<_> = targets
            .iter()
            .map(|&target| Change { target, mode })
            .collect();
        let content = Content {
            changes,
            doubts: Vec::new(),
        };
        match &self.shared {
            _ if content.is_empty() => {}
            Some(shared) => {
                let _ticket = shared.log().queue(content);
            }
            None => {
                let _at = self.folded.append_here(content);
            }
        }
    }

    async fn write(&self, changes: Vec<Change>, deadline: Duration) -> Result<Stamp, StoreError> {
        let content = Content {
            changes,
            doubts: Vec::new(),
        };
        match &self.shared {
            _ if content.is_empty() => Ok(self.stamp()),
            Some(shared) => shared.log().append(content, deadline).await,
            None => Ok(self.folded.append_here(content)),
        }
    }

    /// Announces that what these targets stand for is being changed. From when this returns `Ok` until the
    /// [`Doubt`] ends, no entry that depends on one of them is used in any process that follows the log, and
    /// what is fetched meanwhile answers who asked for it and nobody else, for ever. So nobody is served
    /// the state before the change after it was committed: begin the doubt, commit, then
    /// [resolve](Doubt::resolve) it.
    ///
    /// One record for the beginning, one for the end. `deadline` bounds the wait for each. `lease`, at most
    /// an hour, is how long the others wait for the end if this process dies; let it be longer than the
    /// change can take: after it the doubt is over, and only its end makes up for what was read too early.
    /// (On an embedded store the doubt lasts as long as its guard.)
    ///
    /// # Errors
    ///
    /// The record is not known to stand in the log, or 1024 doubts are open, or 16 384 targets in doubt: a
    /// doubt of everything in their place would switch the cache off for all, and the caller, who has changed
    /// nothing yet, can wait or go on without. Nothing is in doubt then.
    pub async fn doubt(
        &self,
        targets: &[Target],
        lease: Duration,
        deadline: Duration,
    ) -> Result<Doubt, StoreError> {
        Doubt::begin(self, Begun::new(random(), lease, targets), deadline).await
    }

    /// What is invalidated from now on, in whichever process, once this one has heard of it. Doubts that
    /// begin are not told; their ends are.
    ///
    /// Bounded: a reader that is 1024 records behind [misses](Invalidation::is_missed) what comes then, and
    /// is told so. So it is when the log begins anew. While the log cannot be read nothing is told: what came
    /// meanwhile is, late.
    pub fn invalidations(&self) -> Invalidations {
        self.folded.feed.listen()
    }

    /// How many calls of [`append`](Self::append) in this process are not known to stand in the log yet.
    #[must_use]
    pub fn unwritten(&self) -> u64 {
        self.shared
            .as_ref()
            .map_or(0, |shared| shared.log().unwritten())
    }

    /// Waits until all that was appended in this process until now stands in the log. That has no bound while
    /// Redis is down: give it one. A process that is to end calls it, so that its last records are not lost.
    pub async fn flush(&self) {
        if let Some(shared) = &self.shared {
            shared.log().flush().await;
        }
    }

    /// How much this process has heard of.
    #[must_use]
    pub fn heard(&self) -> Heard {
        self.folded.feed.heard()
    }

    /// Whether since `before` the record at `at` was the only one that invalidated these targets, so
    /// that its writer's own value is the newest there is.
    #[must_use]
    pub fn only_hit_at(&self, before: Stamp, at: Stamp, targets: &[Target]) -> bool {
        self.folded.read().only_hit_at(before, at, targets)
    }
}

impl fmt::Debug for InvalidationLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvalidationLog")
            .field("stamp", &self.stamp())
            .field("is_current", &self.is_current())
            .finish()
    }
}

/// The table under its lock, and the count of its changes.
#[derive(Debug)]
struct Folded {
    table: RwLock<Table>,
    generation: AtomicU64,
    /// Tells those who wait for a change.
    changed: Notify,
    feed: Feed,
}

impl Folded {
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the table and counts the change before any reader can see it uncounted.
    fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let mut table: RwLockWriteGuard<'_, _> =
            self.table.write().unwrap_or_else(PoisonError::into_inner);
        let before = table.stamp();
        let result = change(&mut table);
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.feed.tell_jump(before, table.stamp());
        drop(table);
        self.changed.notify_waiters();
        result
    }

    fn apply(&self, record: &Record) -> Result<(), Gap> {
        self.change(|table| self.apply_to(table, record))
    }

    fn apply_to(&self, table: &mut Table, record: &Record) -> Result<(), Gap> {
        let before = table.stamp();
        table.apply(record)?;
        // What was known already was told already.
        if table.stamp() != before {
            self.feed.tell(table.stamp(), &record.content.changes);
        }
        Ok(())
    }

    /// The embedded log: record and table are one step.
    fn append_here(&self, content: Content) -> Stamp {
        self.change(|table| {
            let stamp = table.stamp();
            let next = Record {
                position: stamp.position + 1,
                epoch: stamp.epoch,
                previous: table.nonce(),
                nonce: 0,
                content,
            };
            self.apply_to(table, &next)
                .expect("made from the table's own state, under its lock");
            table.stamp()
        })
    }
}

impl Default for Folded {
    fn default() -> Self {
        Self {
            table: RwLock::new(Table::new(TABLE_CAPACITY)),
            generation: AtomicU64::new(0),
            changed: Notify::new(),
            feed: Feed::default(),
        }
    }
}

/// A random number that is not zero.
pub(crate) fn random() -> u64 {
    // Without randomness from the system two epochs could be taken for one; nothing else here can be
    // done about that.
    getrandom::u64()
        .expect("the operating system gives random numbers")
        .max(1)
}

/// Targets remembered one by one; of older ones only a [summary](summary::Summary).
const TABLE_CAPACITY: usize = 1 << 16;
