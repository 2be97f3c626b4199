//! The task that reads.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use redis::{
    ErrorKind, RedisResult, Value,
    aio::MultiplexedConnection,
    streams::{StreamId, StreamReadReply},
};
use tokio::time::{Instant, timeout};

use super::{
    Shared,
    leases::Leases,
    script::{Append, NO_CONTENT, RECORDS_AT_ONCE, TIME_TO_LIVE, number},
};
use crate::log::{
    record::{Content, Record},
    table::Gap,
};

/// Follows the log on a connection of its own, for as long as the log is in use.
pub(super) async fn read(log: Arc<Shared>) {
    let mut was_told = false;
    let mut leases = Leases::default();
    loop {
        let connection = log.redis.dedicated().await;
        let is_connected = connection.is_ok();
        let end = match connection {
            Ok(connection) => follow(&log, &mut leases, connection).await,
            Err(error) => Err(error),
        };
        if let Err(error) = end
            && !was_told
        {
            tracing::warn!(%error, "the invalidation log cannot be read: nothing is cached meanwhile");
        }
        was_told = !is_connected;
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

/// Reads on one connection until it breaks.
async fn follow(
    log: &Shared,
    leases: &mut Leases,
    mut connection: MultiplexedConnection,
) -> RedisResult<()> {
    let mut cursor = 0;
    let mut compared: Option<Instant> = None;
    let mut renewed: Option<Instant> = None;
    let mut idle = true;
    loop {
        if idle || !log.is_current() || is_due(compared, HEARTBEAT) {
            compared = Some(Instant::now());
            cursor = compare_ends(log, cursor, &mut connection).await?;
        }
        if is_due(renewed, RENEW_INTERVAL) {
            renewed = Some(Instant::now());
            in_time(renew(&log.name, &mut connection)).await?;
        }
        let lines = next_lines(&log.name, cursor, &mut connection).await?;
        idle = lines.is_empty();
        match take_in(log, &lines) {
            Ok(last) => cursor = last.unwrap_or(cursor),
            Err(Gap) => {
                tracing::warn!("the invalidation log has a gap: a new epoch begins");
                let epoch = log.folded.read().stamp().epoch;
                cursor = begin_epoch(log, epoch, &mut connection).await?;
            }
        }
        log.end_overdue(leases);
    }
}

/// Applies lines in their order, up to the first that does not follow. What is not a record of ours is
/// a gap: something may have stood in its place.
fn take_in(log: &Shared, lines: &[StreamId]) -> Result<Option<u64>, Gap> {
    let records: Option<Vec<_>> = lines.iter().map(parse).collect();
    let records = records.ok_or(Gap)?;
    log.apply_all(&records)?;
    Ok(records.last().map(|record| record.position))
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
        content: NO_CONTENT,
        end_epoch: epoch,
        only_if_absent: false,
    };
    let head = in_time(request.send(&log.name, connection)).await?;
    Ok(head.at.position.saturating_sub(1))
}

/// Waits a heartbeat for what stands after `cursor`.
async fn next_lines(
    name: &str,
    cursor: u64,
    connection: &mut MultiplexedConnection,
) -> RedisResult<Vec<StreamId>> {
    let mut read = redis::cmd("XREAD");
    read.arg("BLOCK").arg(HEARTBEAT.as_millis() as u64);
    read.arg("COUNT").arg(RECORDS_AT_ONCE);
    read.arg("STREAMS").arg(name).arg(format!("{cursor}-0"));
    let reply: Option<StreamReadReply> = in_time(read.query_async(connection)).await?;
    let streams = reply.unwrap_or_default().keys;
    Ok(streams.into_iter().flat_map(|stream| stream.ids).collect())
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

pub(super) fn parse(line: &StreamId) -> Option<Record> {
    let bytes = |field: &str| match line.map.get(field) {
        Some(Value::BulkString(bytes)) => Some(bytes.as_slice()),
        _ => None,
    };
    Some(Record {
        position: line.id.strip_suffix("-0")?.parse().ok()?,
        epoch: number(bytes("e")?)?,
        previous: number(bytes("p")?)?,
        nonce: number(bytes("n")?)?,
        content: Content::decode(bytes("c")?)?,
    })
}

/// How long one read waits for news, and how often the end of the log is compared.
const HEARTBEAT: Duration = Duration::from_millis(250);

/// How much later than it should an answer may come.
const OVERDUE: Duration = Duration::from_secs(1);

/// Pause before a lost connection is made again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How often each process renews it.
const RENEW_INTERVAL: Duration = Duration::from_secs(60);
