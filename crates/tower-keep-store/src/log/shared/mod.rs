//! The log on Redis: one task writes, one reads.

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, timeout},
};

pub(crate) use self::script::APPEND;
use self::{reader::read, writer::write};
use super::{
    Folded,
    outbox::Outbox,
    record::{Content, Record},
    table::{Gap, Stamp},
};
use crate::{error::StoreError, redis::Redis};

mod catch_up;
mod checkpoints;
mod doubting;
mod flush;
mod goal;
mod leases;
mod reader;
mod script;
mod writer;

pub(super) struct Shared {
    redis: Arc<Redis>,
    name: String,
    /// The key of the checkpoint; on a Cluster, in a slot of its own.
    checkpoint: String,
    folded: Arc<Folded>,
    outbox: Mutex<Outbox>,
    queued: Notify,
    /// The last batch known to stand in the log, and the last that also came back through it.
    written: watch::Sender<Reached>,
    settled: watch::Sender<Reached>,
    /// When it was last known that nothing was missing, in microseconds of `started`; 0 for never.
    current: AtomicU64,
    started: Instant,
    staleness_bound: Duration,
    closing: AtomicBool,
    /// Doubts of this process.
    doubted: Mutex<HashSet<u64>>,
    /// Held by whoever reads in the reader's place.
    reading_on: tokio::sync::Mutex<()>,
}

/// Ends the two tasks when the log is not in use any more.
pub(super) struct Tasks {
    shared: Arc<Shared>,
    reader: AbortHandle,
}

impl Tasks {
    pub(super) fn log(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.reader.abort();
        // The writer first writes what is queued, if the store takes it.
        self.shared.closing.store(true, Ordering::Release);
        self.shared.queued.notify_one();
    }
}

/// How far the outbox has got: the last ticket of a batch, and where its record stands.
#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    ticket: u64,
    at: Stamp,
}

impl Shared {
    pub(super) fn start(
        redis: Arc<Redis>,
        namespace: &str,
        folded: Arc<Folded>,
        staleness_bound: Duration,
    ) -> Tasks {
        let shared = Arc::new(Self {
            redis,
            name: format!("{namespace}:log"),
            checkpoint: format!("{namespace}:log:checkpoint"),
            folded,
            outbox: Mutex::default(),
            queued: Notify::new(),
            written: watch::Sender::default(),
            settled: watch::Sender::default(),
            current: AtomicU64::new(0),
            started: Instant::now(),
            staleness_bound,
            closing: AtomicBool::new(false),
            doubted: Mutex::default(),
            reading_on: tokio::sync::Mutex::default(),
        });
        let runtime = shared.redis.runtime();
        runtime.spawn(write(shared.clone()));
        let reader = runtime.spawn(read(shared.clone())).abort_handle();
        Tasks { shared, reader }
    }

    pub(super) fn is_current(&self) -> bool {
        self.is_current_at(Instant::now())
    }

    pub(super) fn is_current_at(&self, now: Instant) -> bool {
        let current = self.current.load(Ordering::Acquire);
        let now = micros(now.saturating_duration_since(self.started));
        current != 0 && now.saturating_sub(current) <= micros(self.staleness_bound)
    }

    pub(super) async fn append(
        &self,
        content: Content,
        deadline: Duration,
    ) -> Result<Stamp, StoreError> {
        let ticket = self.queue(content);
        self.stands(ticket, deadline).await
    }

    pub(super) fn append_unawaited(&self, content: Content) {
        let _ticket = self.queue(content);
    }

    /// Waits until what was queued stands in the log, better still until it came back.
    async fn stands(&self, ticket: u64, deadline: Duration) -> Result<Stamp, StoreError> {
        if self.redis.is_suspended() {
            return Err(StoreError::unavailable());
        }
        let mut settled = self.settled.subscribe();
        let coming_back = settled.wait_for(|settled| settled.ticket >= ticket);
        if let Ok(Ok(settled)) = timeout(deadline, coming_back).await {
            return Ok(settled.at);
        }
        let written = *self.written.borrow();
        if written.ticket >= ticket {
            Ok(written.at)
        } else {
            Err(StoreError::timeout())
        }
    }

    pub(super) fn queue(&self, content: Content) -> u64 {
        let ticket = {
            let mut outbox = self.outbox();
            self.queue_in(&mut outbox, content)
        };
        self.queued.notify_one();
        ticket
    }

    /// Under the lock of the outbox, so that nothing can be settled before it is in doubt.
    fn queue_in(&self, outbox: &mut Outbox, content: Content) -> u64 {
        let begun: Vec<_> = content.begun().cloned().collect();
        let (ticket, queued) = outbox.push(content);
        self.folded.change(|table| {
            table.doubt_all(&queued.doubted);
            table.settle(&queued.replaced);
            begun.iter().for_each(|begun| table.doubts().begin(begun));
        });
        ticket
    }

    /// Lifts the doubts that the log itself answers now.
    fn settle(&self) {
        let mut outbox = self.outbox();
        loop {
            let settled = outbox.next_settled(&self.folded.read());
            let Some((batch, at)) = settled else { break };
            self.folded
                .change(|table| table.settle(&batch.content.changes));
            let ticket = batch.ticket;
            self.settled.send_replace(Reached { ticket, at });
        }
        if !outbox.is_idle() {
            self.queued.notify_one();
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes records in, in their order.
    fn apply_all(&self, records: &[Record]) -> Result<(), Gap> {
        if records.is_empty() {
            return Ok(());
        }
        let epoch = self.folded.read().stamp().epoch;
        let result = records
            .iter()
            .try_for_each(|record| self.folded.apply(record));
        if self.folded.read().stamp().epoch != epoch {
            self.announce_again();
        }
        self.settle();
        result
    }

    /// All that was in the log at `moment` has been applied.
    fn was_current_at(&self, moment: Instant) {
        let moment = micros(moment.saturating_duration_since(self.started)).max(1);
        self.current.fetch_max(moment, Ordering::AcqRel);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
