//! The task that reads.

use std::{
    cmp::Ordering,
    sync::{Arc, atomic},
    time::Duration,
};

use redis::{
    ErrorKind, RedisResult, Value,
    aio::MultiplexedConnection,
    streams::{StreamId, StreamRangeReply, StreamReadReply},
};
use tokio::time::{Instant, timeout};

use super::{
    Shared,
    checkpoints::Checkpoints,
    goal::Goal,
    leases::Leases,
    script::{Append, Head, NO_CONTENT, RECORDS_AT_ONCE, TIME_TO_LIVE, number},
};
use crate::log::{
    record::{Content, Record},
    table::{Gap, Stamp, Table},
};

/// What outlives a connection.
struct State {
    leases: Leases,
    checkpoints: Checkpoints,
    /// The table comes from a checkpoint that is not believed yet: the next record must follow it, or its
    /// nonce be that of the last one.
    is_provisional: bool,
    /// The server that was followed last, and the epoch that was forgotten since.
    server: Option<String>,
    forgotten: u64,
}

/// Follows the log on a connection of its own, for as long as the log is in use.
pub(super) async fn read(log: Arc<Shared>) {
    let mut was_told = false;
    let mut state = State {
        leases: Leases::default(),
        checkpoints: Checkpoints::new(),
        is_provisional: false,
        server: None,
        forgotten: 0,
    };
    loop {
        let link = log.redis.dedicated().await;
        let is_connected = link.is_ok();
        let end = match &link {
            Ok(link) => follow(&log, &mut state, link.connection.clone()).await,
            Err(error) => Err(error.clone()),
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
    state: &mut State,
    mut connection: MultiplexedConnection,
) -> RedisResult<()> {
    let mut cursor = 0;
    let mut compared: Option<Instant> = None;
    let mut renewed: Option<Instant> = None;
    let mut idle = true;
    let mut goal = Goal::default();
    let server = in_time(run_id(&mut connection)).await?;
    let epoch = log.folded.read().stamp().epoch;
    let ended = if epoch == 0 { state.forgotten } else { epoch };
    let is_known = server.is_some() && state.server.is_some();
    if ended != 0 && is_known && server != state.server {
        // Whatever it has, it may have lost what its predecessor had acknowledged, and taken the same
        // positions again.
        tracing::warn!("another server keeps the invalidation log: a new epoch begins");
        log.current.store(0, atomic::Ordering::Release);
        let after = begin_epoch(log, ended, &mut connection).await?;
        cursor = if epoch == 0 { 0 } else { after };
    }
    state.server = server.or(state.server.take());
    if epoch == 0 {
        let head = in_time(Append::NOTHING.send(&log.name, &mut connection)).await?;
        if let Some(position) = log.restore(head.at, &mut connection).await? {
            (cursor, state.is_provisional) = (position, true);
        }
    }
    loop {
        if idle || !log.is_current() || is_due(compared, HEARTBEAT) {
            compared = Some(Instant::now());
            match compare_ends(log, &mut goal, &mut connection).await? {
                Ends::Meet(position) => (cursor, state.is_provisional) = (position, false),
                Ends::ReadFrom(position) => cursor = position,
                Ends::Apart { .. } if state.is_provisional => {
                    (cursor, state.is_provisional) = (start_over(log, &mut state.forgotten), false);
                }
                Ends::Apart { epoch } => {
                    tracing::warn!("the invalidation log lost records: a new epoch begins");
                    cursor = begin_epoch(log, epoch, &mut connection).await?;
                }
            }
        }
        if is_due(renewed, RENEW_INTERVAL) {
            renewed = Some(Instant::now());
            in_time(renew(log, &mut connection)).await?;
        }
        let lines = next_lines(&log.name, cursor, &mut connection).await?;
        idle = lines.is_empty();
        let taken = take_in(log, &lines);
        if taken.is_err() {
            goal = Goal::default();
        }
        match taken {
            Ok(Some(last)) => {
                (cursor, state.is_provisional) = (last, false);
                log.look_at(&mut goal);
            }
            Ok(None) => {}
            Err(Gap) if state.is_provisional => {
                tracing::warn!(
                    "a checkpoint does not belong to the invalidation log: it is not used"
                );
                (cursor, state.is_provisional) = (start_over(log, &mut state.forgotten), false);
            }
            Err(Gap) if is_cut(log, &lines) => {
                tracing::warn!("the invalidation log was cut before it was read: it is read anew");
                let head = in_time(Append::NOTHING.send(&log.name, &mut connection)).await?;
                log.current.store(0, atomic::Ordering::Release);
                match log.restore(head.at, &mut connection).await? {
                    Some(position) => (cursor, state.is_provisional) = (position, true),
                    None => cursor = start_over(log, &mut state.forgotten),
                }
            }
            Err(Gap) => {
                tracing::warn!("the invalidation log has a gap: a new epoch begins");
                let epoch = log.folded.read().stamp().epoch;
                cursor = begin_epoch(log, epoch, &mut connection).await?;
            }
        }
        log.end_overdue(&mut state.leases);
        if !state.is_provisional {
            log.keep_checkpoint(&mut state.checkpoints, &mut connection)
                .await?;
        }
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

/// Whether records are missing that once stood before the first of these lines, and nothing else is wrong.
fn is_cut(log: &Shared, lines: &[StreamId]) -> bool {
    let applied = log.folded.read().stamp();
    let first = lines.first().and_then(parse);
    first.is_some_and(|first| first.epoch == applied.epoch && first.position > applied.position + 1)
}

/// Forgets what was read, to read the log from its start; until that is done nothing is used.
fn start_over(log: &Shared, forgotten: &mut u64) -> u64 {
    *forgotten = log.folded.read().stamp().epoch;
    log.current.store(0, atomic::Ordering::Release);
    log.folded.change(Table::forget);
    0
}

/// Names one life of a server; nothing, if it does not say.
async fn run_id(connection: &mut MultiplexedConnection) -> RedisResult<Option<String>> {
    let told = redis::cmd("INFO")
        .arg("server")
        .query_async::<String>(connection)
        .await;
    let told = match told {
        Err(error) if error.is_unrecoverable_error() || error.is_io_error() => return Err(error),
        told => told.unwrap_or_default(),
    };
    let line = told.lines().find_map(|line| line.strip_prefix("run_id:"));
    Ok(line.map(str::to_owned))
}

/// How the end of the server's log stands to what was applied.
#[derive(Debug, PartialEq, Eq)]
enum Ends {
    /// At this position.
    Meet(u64),
    /// There is more to be read behind this one.
    ReadFrom(u64),
    /// They have different histories. The server's is of this epoch, which must end.
    Apart { epoch: u64 },
}

/// Holds the end of the server's log against what was applied.
async fn compare_ends(
    log: &Shared,
    goal: &mut Goal,
    connection: &mut MultiplexedConnection,
) -> RedisResult<Ends> {
    let sent = Instant::now();
    let before = log.folded.read().stamp();
    let head = in_time(Append::NOTHING.send(&log.name, connection)).await?;
    let (applied, nonce, ends) = {
        let table = log.folded.read();
        let ends = compare(&table, before, &head);
        (table.stamp(), table.nonce(), ends)
    };
    if let Some(ends) = ends {
        match ends {
            Ends::Meet(_) | Ends::ReadFrom(_) => {
                log.look_at(goal);
                goal.set(sent, head);
                log.look_at(goal);
            }
            Ends::Apart { .. } => *goal = Goal::default(),
        }
        return Ok(ends);
    }
    let apart = Ends::Apart {
        epoch: head.at.epoch,
    };
    if applied.epoch != 0 && !goes_on(log, applied, nonce, connection).await? {
        // Another life of the log. It may be an older one that came back with its server, and know less
        // than is known here.
        *goal = Goal::default();
        return Ok(apart);
    }
    Ok(Ends::ReadFrom(applied.position))
}

/// How they stand within one epoch. `before` is where the table stood before the end of the log was read.
fn compare(table: &Table, before: Stamp, head: &Head) -> Option<Ends> {
    let (applied, end) = (table.stamp(), head.at);
    if applied.epoch != end.epoch {
        return None;
    }
    let is_known = table.nonce_at(end.position) == Some(head.nonce);
    // Who catches up may have read on meanwhile.
    let has_read_on = before.epoch == end.epoch && before.position <= end.position;
    Some(match applied.position.cmp(&end.position) {
        Ordering::Less => Ends::ReadFrom(applied.position),
        Ordering::Equal if is_known => Ends::Meet(applied.position),
        Ordering::Greater if is_known && has_read_on => Ends::ReadFrom(applied.position),
        _ => Ends::Apart { epoch: end.epoch },
    })
}

/// Whether the server's log goes on behind the last record that was applied.
async fn goes_on(
    log: &Shared,
    applied: Stamp,
    nonce: u64,
    connection: &mut MultiplexedConnection,
) -> RedisResult<bool> {
    let next = applied.position + 1;
    let mut range = redis::cmd("XRANGE");
    range.arg(&log.name);
    range.arg(format!("{}-0", applied.position));
    range.arg(format!("{next}-0"));
    let reply: StreamRangeReply = in_time(range.query_async(connection)).await?;
    let records = reply.ids.iter().filter_map(parse);
    Ok(records.into_iter().any(|record| match record.position {
        position if position == next => record.previous == nonce,
        _ => record.nonce == nonce,
    }))
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

async fn renew(log: &Shared, connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let mut both = redis::pipe();
    for name in [&log.name, &log.checkpoint] {
        both.cmd("PEXPIRE")
            .arg(name)
            .arg(TIME_TO_LIVE.as_millis() as u64)
            .ignore();
    }
    both.query_async(connection).await
}

/// A server that hangs says nothing: an answer that is overdue is a lost connection.
pub(super) async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: u64) -> Stamp {
        Stamp { epoch: 1, position }
    }

    fn head(position: u64, nonce: u64) -> Head {
        Head {
            at: at(position),
            nonce,
        }
    }

    #[test]
    fn what_a_request_has_read_on_meanwhile_is_no_other_history() {
        let mut table = Table::new(8);
        for position in 1..=5 {
            let record = Record {
                position,
                epoch: 1,
                previous: table.nonce(),
                nonce: 10 * position,
                content: Content::default(),
            };
            table.apply(&record).expect("the next one");
        }
        let apart = || Some(Ends::Apart { epoch: 1 });
        let compare = |before, head| compare(&table, at(before), &head);
        assert_eq!(compare(5, head(5, 50)), Some(Ends::Meet(5)));
        assert_eq!(compare(5, head(5, 51)), apart());
        assert_eq!(compare(5, head(7, 70)), Some(Ends::ReadFrom(5)));
        assert_eq!(compare(3, head(4, 40)), Some(Ends::ReadFrom(5)));
        assert_eq!(compare(3, head(4, 41)), apart(), "another record there");
        assert_eq!(compare(5, head(4, 40)), apart(), "the log lost its end");
    }
}
