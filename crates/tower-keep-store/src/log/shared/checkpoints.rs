//! When a process writes the folded table down, and when one reads it.

use std::{sync::LazyLock, time::Duration};

use redis::{RedisResult, Script, aio::MultiplexedConnection};
use tokio::time::Instant;

use super::{Shared, reader::in_time, script::TIME_TO_LIVE};
use crate::log::{
    checkpoint::{Checkpoint, HEAD_LEN},
    random,
    table::Stamp,
};

/// What the reader remembers of checkpoints.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// The last one that this process heard of, and when it did.
    last: Stamp,
    heard: Instant,
    /// How much longer than the others this process waits, so that mostly one writes.
    records: u64,
    pause: Duration,
}

impl Checkpoints {
    pub(super) fn new() -> Self {
        Self {
            last: Stamp::default(),
            heard: Instant::now(),
            records: RECORDS + random() % RECORDS,
            pause: PAUSE + Duration::from_millis(random() % 30_000),
        }
    }

    fn heard_of(&mut self, at: Stamp) {
        *self = Self {
            last: at,
            ..Self::new()
        };
    }

    fn is_due(&self, applied: Stamp) -> bool {
        let since = if applied.epoch == self.last.epoch {
            applied.position.saturating_sub(self.last.position)
        } else {
            applied.position
        };
        since >= self.records && (since >= MANY_RECORDS || self.heard.elapsed() >= self.pause)
    }
}

impl Shared {
    /// Writes a checkpoint if it is time and nobody else did, and shortens the log to what stands behind
    /// the checkpoint before.
    pub(super) async fn keep_checkpoint(
        &self,
        checkpoints: &mut Checkpoints,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<()> {
        let applied = self.folded.read().stamp();
        if !checkpoints.is_due(applied) {
            return Ok(());
        }
        let known = checkpoints.last;
        let kept = in_time(read_place(&self.checkpoint, connection)).await?;
        if let Some(kept) = kept.filter(|kept| kept.epoch == applied.epoch && *kept != known) {
            checkpoints.heard_of(kept);
            return Ok(());
        }
        let checkpoint = self.folded.read().checkpoint();
        checkpoints.heard_of(checkpoint.at);
        in_time(write(&self.checkpoint, &checkpoint, connection)).await?;
        match kept.filter(|kept| kept.epoch == applied.epoch) {
            Some(kept) => in_time(trim(&self.name, kept.position, connection)).await,
            None => Ok(()),
        }
    }

    /// Begins with what a checkpoint tells, if it fits to the end of the log; returns the position to read on
    /// from.
    pub(super) async fn restore(
        &self,
        head: Stamp,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<Option<u64>> {
        let mut get = redis::cmd("GET");
        get.arg(&self.checkpoint);
        let bytes: Option<Vec<u8>> = match in_time(get.query_async(connection)).await {
            Ok(bytes) => bytes,
            // Something else stands there.
            Err(error) if error.is_unrecoverable_error() || error.is_io_error() => {
                return Err(error);
            }
            Err(_) => return Ok(None),
        };
        let Some(checkpoint) = bytes.and_then(|bytes| Checkpoint::decode(&bytes)) else {
            return Ok(None);
        };
        let applied = self.folded.read().stamp();
        let is_ahead = applied.epoch != head.epoch || applied.position < checkpoint.at.position;
        let fits = checkpoint.at.epoch == head.epoch && checkpoint.at.position <= head.position;
        if !(fits && is_ahead) {
            return Ok(None);
        }
        self.folded.change(|table| table.restore(&checkpoint));
        Ok(Some(checkpoint.at.position))
    }
}

async fn read_place(
    name: &str,
    connection: &mut MultiplexedConnection,
) -> RedisResult<Option<Stamp>> {
    let mut range = redis::cmd("GETRANGE");
    range.arg(name).arg(0).arg(HEAD_LEN - 1);
    let head: redis::Value = match range.query_async(connection).await {
        Err(error) if error.is_unrecoverable_error() || error.is_io_error() => return Err(error),
        other => other.unwrap_or(redis::Value::Nil),
    };
    let place = match head {
        redis::Value::BulkString(head) => Checkpoint::place(&head),
        _ => None,
    };
    Ok(place)
}

async fn write(
    name: &str,
    checkpoint: &Checkpoint,
    connection: &mut MultiplexedConnection,
) -> RedisResult<()> {
    WRITE
        .key(name)
        .arg(checkpoint.encode())
        .arg(TIME_TO_LIVE.as_millis() as u64)
        .invoke_async::<u8>(connection)
        .await?;
    Ok(())
}

async fn trim(
    name: &str,
    position: u64,
    connection: &mut MultiplexedConnection,
) -> RedisResult<()> {
    let mut trim = redis::cmd("XTRIM");
    trim.arg(name).arg("MINID").arg("~").arg(position);
    trim.query_async(connection).await
}

static WRITE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("checkpoint.lua")));

/// Records between two checkpoints, at least.
const RECORDS: u64 = 1 << 10;

/// The time between two, at least; so the log reaches back for as long, at least.
const PAUSE: Duration = Duration::from_secs(60);

/// After as many it is not waited for: the log must not be cut before its checkpoint.
const MANY_RECORDS: u64 = 1 << 14;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u64, position: u64) -> Stamp {
        Stamp { epoch, position }
    }

    #[tokio::test]
    async fn a_checkpoint_is_due_after_many_records_or_some_and_a_while() {
        let mut checkpoints = Checkpoints::new();
        assert!(!checkpoints.is_due(at(1, 2 * RECORDS)), "too soon");
        assert!(checkpoints.is_due(at(1, MANY_RECORDS)));
        checkpoints.heard_of(at(1, 100));
        assert!(!checkpoints.is_due(at(1, MANY_RECORDS)));
        assert!(checkpoints.is_due(at(1, MANY_RECORDS + 100)));
        assert!(checkpoints.is_due(at(2, MANY_RECORDS)), "another epoch");
        checkpoints.pause = Duration::ZERO;
        assert!(!checkpoints.is_due(at(1, 100 + RECORDS - 1)));
        assert!(checkpoints.is_due(at(1, 100 + 2 * RECORDS)));
    }
}
