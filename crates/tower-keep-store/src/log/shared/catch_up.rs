//! Catching up with the end of the log before something stored is used.

use std::time::Duration;

use redis::{RedisResult, aio::MultiplexedConnection, streams::StreamRangeReply};
use tokio::time::{Instant, timeout_at};

use super::{
    Shared,
    reader::parse,
    script::{Head, RECORDS_AT_ONCE},
};
use crate::{
    error::StoreError,
    log::{record::Record, table::Stamp},
    redis::LONGEST_DEADLINE,
};

/// How the table stands to an end of the log that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Reached,
    Behind,
    /// The two have different histories. The reader will find out what to do.
    Apart,
}

impl Shared {
    /// Waits until all that stood in the log when this was called has been applied.
    ///
    /// The reader mostly has it already. If it does not come forth with it, its connection may be held up:
    /// then the records are read on one of those that requests share.
    pub(in crate::log) async fn catch_up(&self, deadline: Duration) -> Result<(), StoreError> {
        let sent = Instant::now();
        let end = sent + deadline.min(LONGEST_DEADLINE);
        let before = self.folded.read().stamp();
        let read = |connection| read_head(&self.name, connection);
        let head = self.redis.run("XREVRANGE", deadline, read).await?;
        // No log, or none of ours: the reader is about to begin one.
        let head = head.ok_or_else(StoreError::malformed)?;
        let patience = end.min(Instant::now() + PATIENCE_WITH_THE_READER);
        let mut standing = self.wait_for(&head, before, patience).await;
        while standing == Standing::Behind {
            self.read_on(end).await?;
            standing = self.standing(&head, before);
        }
        match standing {
            Standing::Reached => {
                self.was_current_at(sent);
                Ok(())
            }
            Standing::Behind | Standing::Apart => Err(StoreError::malformed()),
        }
    }

    async fn wait_for(&self, head: &Head, before: Stamp, end: Instant) -> Standing {
        loop {
            let mut changed = std::pin::pin!(self.folded.changed.notified());
            changed.as_mut().enable();
            let standing = self.standing(head, before);
            if standing != Standing::Behind || timeout_at(end, changed).await.is_err() {
                return standing;
            }
        }
    }

    /// `before` is where the table stood before the end of the log was read.
    fn standing(&self, head: &Head, before: Stamp) -> Standing {
        let table = self.folded.read();
        let applied = table.stamp();
        if applied.epoch != head.at.epoch {
            return Standing::Behind;
        }
        let was_ahead = before.epoch == head.at.epoch && before.position > head.at.position;
        let forked = applied == head.at && table.nonce() != head.nonce;
        if was_ahead || forked {
            Standing::Apart
        } else if applied.position < head.at.position {
            Standing::Behind
        } else {
            Standing::Reached
        }
    }

    /// Reads and applies what follows, one caller at a time. Only within the epoch: another one is the
    /// reader's to begin.
    async fn read_on(&self, end: Instant) -> Result<(), StoreError> {
        let reading = timeout_at(end, self.reading_on.lock()).await;
        let _alone = reading.map_err(|_| StoreError::timeout())?;
        let applied = self.folded.read().stamp();
        let left = end.saturating_duration_since(Instant::now());
        let read = |connection| read_after(&self.name, applied.position, connection);
        let records = self.redis.run("XRANGE", left, read).await?;
        let records = records.ok_or_else(StoreError::malformed)?;
        let is_of_epoch = |record: &Record| record.epoch == applied.epoch;
        if !records.first().is_some_and(is_of_epoch) {
            return Err(StoreError::malformed());
        }
        for record in records.iter().take_while(|record| is_of_epoch(record)) {
            let result = self.folded.change(|table| match table.stamp().epoch {
                epoch if epoch == record.epoch => table.apply(record),
                _ => Ok(()),
            });
            result.map_err(|_| StoreError::malformed())?;
        }
        self.settle();
        Ok(())
    }
}

/// The end of the log, if there is one of ours.
async fn read_head(name: &str, mut connection: MultiplexedConnection) -> RedisResult<Option<Head>> {
    let mut command = redis::cmd("XREVRANGE");
    command.arg(name).arg("+").arg("-").arg("COUNT").arg(1);
    let reply: StreamRangeReply = command.query_async(&mut connection).await?;
    let record = reply.ids.first().and_then(parse);
    Ok(record.map(|record| Head {
        at: Stamp {
            epoch: record.epoch,
            position: record.position,
        },
        nonce: record.nonce,
    }))
}

/// What follows a position, if all of it are records.
async fn read_after(
    name: &str,
    position: u64,
    mut connection: MultiplexedConnection,
) -> RedisResult<Option<Vec<Record>>> {
    let mut command = redis::cmd("XRANGE");
    command
        .arg(name)
        .arg(format!("{}-0", position + 1))
        .arg("+");
    command.arg("COUNT").arg(RECORDS_AT_ONCE);
    let reply: StreamRangeReply = command.query_async(&mut connection).await?;
    Ok(reply.ids.iter().map(parse).collect())
}

/// The record is usually under way to the reader when its position is heard of.
const PATIENCE_WITH_THE_READER: Duration = Duration::from_millis(2);
