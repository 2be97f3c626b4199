//! The log on Redis: one task writes, one reads.

use std::{
    fmt,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{
    ErrorKind, FromRedisValue, RedisError, RedisResult, Script, Value,
    aio::MultiplexedConnection,
    streams::{StreamId, StreamReadReply},
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout},
};

use super::{
    Folded,
    outbox::{Batch, Outbox},
    random,
    record::{self, Change, Record},
    table::{Gap, Stamp},
};
use crate::{error::StoreError, redis::Redis};

pub(super) struct Shared {
    redis: Arc<Redis>,
    name: String,
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
    ) -> Arc<Self> {
        let shared = Arc::new(Self {
            redis,
            name: format!("{namespace}:log"),
            folded,
            outbox: Mutex::default(),
            queued: Notify::new(),
            written: watch::Sender::default(),
            settled: watch::Sender::default(),
            current: AtomicU64::new(0),
            started: Instant::now(),
            staleness_bound,
        });
        tokio::spawn(write(Arc::downgrade(&shared)));
        tokio::spawn(read(Arc::downgrade(&shared)));
        shared
    }

    pub(super) fn is_current(&self) -> bool {
        let current = self.current.load(Ordering::Acquire);
        current != 0 && self.elapsed().saturating_sub(current) <= micros(self.staleness_bound)
    }

    pub(super) async fn append(
        &self,
        changes: Vec<Change>,
        deadline: Duration,
    ) -> Result<Stamp, StoreError> {
        let ticket = self.queue(changes);
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

    fn queue(&self, changes: Vec<Change>) -> u64 {
        let ticket = {
            let mut outbox = self.outbox();
            let (ticket, queued) = outbox.push(changes);
            self.folded.change(|table| {
                table.doubt_all(&queued.doubted);
                table.settle(&queued.replaced);
            });
            ticket
        };
        self.queued.notify_one();
        ticket
    }

    /// Lifts the doubts that the log itself answers now.
    fn settle(&self) {
        let mut outbox = self.outbox();
        let applied = self.folded.read().stamp();
        while let Some((batch, at)) = outbox.next_settled(applied) {
            self.folded.change(|table| table.settle(&batch.changes));
            let ticket = batch.ticket;
            self.settled.send_replace(Reached { ticket, at });
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a batch down.
    async fn write_batch(&self, batch: Batch) -> Result<(), (Batch, StoreError)> {
        let sent_in = self.folded.read().stamp().epoch;
        let request = Append {
            changes: &batch.changes,
            end_epoch: 0,
            only_if_absent: false,
        };
        let step = |mut connection: MultiplexedConnection| async move {
            request.send(&self.name, &mut connection).await
        };
        match self.redis.run(WRITE_DEADLINE, step).await {
            Ok(Head { at, .. }) => {
                let ticket = batch.ticket;
                self.outbox().written(batch, sent_in, at);
                self.written.send_replace(Reached { ticket, at });
                self.settle();
                Ok(())
            }
            Err(error) => Err((batch, error)),
        }
    }

    /// Takes records in, in their order.
    fn apply_all(&self, records: &[Record]) -> Result<(), Gap> {
        if records.is_empty() {
            return Ok(());
        }
        let result = records
            .iter()
            .try_for_each(|record| self.folded.apply(record));
        self.settle();
        result
    }

    /// All that was in the log at `moment` has been applied.
    fn was_current_at(&self, moment: Instant) {
        let moment = micros(moment.saturating_duration_since(self.started)).max(1);
        self.current.fetch_max(moment, Ordering::AcqRel);
    }

    fn elapsed(&self) -> u64 {
        micros(self.started.elapsed())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Writes what is queued, a batch at a time, each until it stands. A batch that may have been written
/// already is written again: twice is harmless, never is not.
async fn write(shared: Weak<Shared>) {
    let mut unwritten = None;
    // Upgraded anew each time round, or the log would keep itself alive.
    while let Some(log) = shared.upgrade() {
        let next = unwritten.take().or_else(|| log.outbox().next_batch());
        let Some(batch) = next else {
            let _woken_or_not = timeout(IDLE_CHECK, log.queued.notified()).await;
            continue;
        };
        if let Err((batch, error)) = log.write_batch(batch).await {
            tracing::debug!(%error, "an invalidation waits for the store");
            unwritten = Some(batch);
            drop(log);
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

/// Follows the log on a connection of its own, for as long as the log is in use.
async fn read(shared: Weak<Shared>) {
    while let Some(log) = shared.upgrade() {
        let connection = log.redis.dedicated().await;
        drop(log);
        let end = match connection {
            Ok(connection) => follow(&shared, connection).await,
            Err(error) => Err(error),
        };
        if let Err(error) = end {
            tracing::debug!(%error, "the invalidation log cannot be read");
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

/// Reads on one connection until it breaks or the log is dropped.
async fn follow(shared: &Weak<Shared>, mut connection: MultiplexedConnection) -> RedisResult<()> {
    let mut cursor = 0;
    let mut compared: Option<Instant> = None;
    let mut renewed: Option<Instant> = None;
    let mut idle = true;
    while let Some(log) = shared.upgrade() {
        if idle || !log.is_current() || is_due(compared, HEARTBEAT) {
            compared = Some(Instant::now());
            cursor = compare_ends(&log, cursor, &mut connection).await?;
        }
        if is_due(renewed, RENEW_INTERVAL) {
            renewed = Some(Instant::now());
            in_time(renew(&log.name, &mut connection)).await?;
        }
        let records = next_records(&log.name, cursor, &mut connection).await?;
        idle = records.is_empty();
        if log.apply_all(&records).is_err() {
            tracing::warn!("the invalidation log has a gap: a new epoch begins");
            let epoch = log.folded.read().stamp().epoch;
            cursor = begin_epoch(&log, epoch, &mut connection).await?;
        } else if let Some(last) = records.last() {
            cursor = last.position;
        }
    }
    Ok(())
}

/// Holds the end of the server's log against what was applied; returns where to read on.
async fn compare_ends(
    log: &Shared,
    cursor: u64,
    connection: &mut MultiplexedConnection,
) -> RedisResult<u64> {
    let sent = Instant::now();
    let head = in_time(Append::NOTHING.send(&log.name, connection)).await?;
    let (applied, nonce) = {
        let table = log.folded.read();
        (table.stamp(), table.nonce())
    };
    if applied == head.at && nonce == head.nonce {
        log.was_current_at(sent);
        return Ok(applied.position);
    }
    if applied.epoch == head.at.epoch {
        if applied.position < head.at.position {
            return Ok(applied.position);
        }
        tracing::warn!("the invalidation log lost records: a new epoch begins");
        return begin_epoch(log, applied.epoch, connection).await;
    }
    if cursor >= head.at.position {
        // Another life of the log, shorter than the one that was followed: read it from the start.
        // Until that is done the table knows less than it did.
        log.current.store(0, Ordering::Release);
        return Ok(0);
    }
    Ok(cursor)
}

fn is_due(last: Option<Instant>, interval: Duration) -> bool {
    last.is_none_or(|last| last.elapsed() >= interval)
}

/// Ends `epoch`, if it still lasts; returns the position after which the new one begins.
async fn begin_epoch(
    log: &Shared,
    epoch: u64,
    connection: &mut MultiplexedConnection,
) -> RedisResult<u64> {
    let request = Append {
        changes: &[],
        end_epoch: epoch,
        only_if_absent: false,
    };
    let head = in_time(request.send(&log.name, connection)).await?;
    Ok(head.at.position.saturating_sub(1))
}

/// Waits a heartbeat for records after `cursor`.
async fn next_records(
    name: &str,
    cursor: u64,
    connection: &mut MultiplexedConnection,
) -> RedisResult<Vec<Record>> {
    let mut read = redis::cmd("XREAD");
    read.arg("BLOCK").arg(HEARTBEAT.as_millis() as u64);
    read.arg("COUNT").arg(RECORDS_AT_ONCE);
    read.arg("STREAMS").arg(name).arg(format!("{cursor}-0"));
    let reply: Option<StreamReadReply> = in_time(read.query_async(connection)).await?;
    let streams = reply.unwrap_or_default().keys;
    streams
        .iter()
        .flat_map(|stream| &stream.ids)
        .map(parse)
        .collect()
}

async fn renew(name: &str, connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let mut expire = redis::cmd("PEXPIRE");
    expire.arg(name).arg(TIME_TO_LIVE.as_millis() as u64);
    expire.query_async(connection).await
}

/// A server that hangs says nothing: an answer that is overdue is a lost connection.
async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    timeout(HEARTBEAT + OVERDUE, answer)
        .await
        .unwrap_or_else(|_| Err((ErrorKind::Io, "the log's connection hangs").into()))
}

/// What the script is asked to do.
struct Append<'a> {
    changes: &'a [Change],
    /// Begin a new epoch if the last record is of this one; 0 for none.
    end_epoch: u64,
    /// Write only if the log does not exist.
    only_if_absent: bool,
}

impl Append<'_> {
    /// Only makes sure that there is a log, and tells its end.
    const NOTHING: Self = Self {
        changes: &[],
        end_epoch: 0,
        only_if_absent: true,
    };

    async fn send(&self, name: &str, connection: &mut MultiplexedConnection) -> RedisResult<Head> {
        APPEND
            .key(name)
            .arg(record::encode(self.changes))
            .arg(&random().to_be_bytes()[..])
            .arg(&random().to_be_bytes()[..])
            .arg(&self.end_epoch.to_be_bytes()[..])
            .arg(u8::from(self.only_if_absent))
            .arg(RECORDS_KEPT)
            .arg(TIME_TO_LIVE.as_millis() as u64)
            .invoke_async(connection)
            .await
    }
}

/// The last record of the log.
struct Head {
    at: Stamp,
    nonce: u64,
}

impl FromRedisValue for Head {
    fn from_redis_value(value: Value) -> Result<Self, redis::ParsingError> {
        let (position, epoch, nonce): (u64, Vec<u8>, Vec<u8>) =
            FromRedisValue::from_redis_value(value)?;
        let number = |bytes: Vec<u8>| number(&bytes).ok_or("a record of the log has no valid head");
        Ok(Self {
            at: Stamp {
                epoch: number(epoch)?,
                position,
            },
            nonce: number(nonce)?,
        })
    }
}

fn parse(line: &StreamId) -> RedisResult<Record> {
    let bytes = |field: &str| match line.map.get(field) {
        Some(Value::BulkString(bytes)) => Some(bytes.as_slice()),
        _ => None,
    };
    let record = || {
        Some(Record {
            position: line.id.strip_suffix("-0")?.parse().ok()?,
            epoch: number(bytes("e")?)?,
            previous: number(bytes("p")?)?,
            nonce: number(bytes("n")?)?,
            changes: record::decode(bytes("c")?)?,
        })
    };
    record().ok_or_else(|| RedisError::from((ErrorKind::Parse, "a record of the log is malformed")))
}

fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The script that appends; loaded on every new connection.
pub(crate) static APPEND: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("append.lua")));

/// How long one read waits for news, and how often the end of the log is compared.
const HEARTBEAT: Duration = Duration::from_millis(250);

/// How much later than it should an answer may come.
const OVERDUE: Duration = Duration::from_secs(1);

/// Pause before a failed read or write is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How long a write may take; it holds nobody up, so it may take longer than a request's step.
const WRITE_DEADLINE: Duration = Duration::from_millis(500);

/// How often the task that writes looks whether the log is still in use.
const IDLE_CHECK: Duration = Duration::from_secs(1);

/// Nobody's log is lost to eviction policies that prefer keys without one: it has a time to live.
const TIME_TO_LIVE: Duration = Duration::from_secs(24 * 3600);

/// How often each process renews it.
const RENEW_INTERVAL: Duration = Duration::from_secs(60);

/// What a process may fall behind without losing its entries, about 10 MB at the most.
const RECORDS_KEPT: usize = 1 << 16;

const RECORDS_AT_ONCE: usize = 512;
