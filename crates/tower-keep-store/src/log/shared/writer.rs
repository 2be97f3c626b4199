//! The task that writes.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use redis::aio::MultiplexedConnection;

use super::{
    Reached, Shared,
    script::{Append, Head},
};
use crate::{
    error::StoreError,
    log::{outbox::Batch, table::Stamp},
};

/// Writes what is queued, a batch at a time, each until it stands. A batch that may have been written
/// already is written again: twice is harmless, never is not.
pub(super) async fn write(log: Arc<Shared>) {
    let mut unwritten = None;
    loop {
        let next = unwritten.take().or_else(|| log.outbox().next_batch());
        let Some(batch) = next else {
            if log.closing.load(Ordering::Acquire) {
                return;
            }
            log.queued.notified().await;
            continue;
        };
        if let Err((batch, error)) = log.write_batch(batch).await {
            if log.closing.load(Ordering::Acquire) {
                return;
            }
            tracing::debug!(%error, "an invalidation waits for the store");
            unwritten = Some(batch);
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

impl Shared {
    /// Writes a batch down.
    async fn write_batch(&self, batch: Batch) -> Result<(), (Batch, StoreError)> {
        let sent_in = self.folded.read().stamp().epoch;
        let request = Append {
            content: &batch.content,
            end_epoch: 0,
            only_if_absent: false,
        };
        let step = |mut connection: MultiplexedConnection| async move {
            request.send(&self.name, &mut connection).await
        };
        match self.redis.insist(WRITE_DEADLINE, step).await {
            Ok(Head { at, nonce }) => {
                let ticket = batch.ticket;
                self.has_written(batch, sent_in, at, nonce);
                self.written.send_replace(Reached { ticket, at });
                self.settle();
                Ok(())
            }
            Err(error) => Err((batch, error)),
        }
    }
}

impl Shared {
    fn has_written(&self, batch: Batch, sent_in: u64, at: Stamp, nonce: u64) {
        let mut outbox = self.outbox();
        if let Some(merged) = outbox.written(batch, sent_in, at, nonce) {
            tracing::warn!("what was invalidated does not come back: everything is in doubt");
            self.folded.change(|table| {
                table.doubt_all(&merged.doubted);
                table.settle(&merged.replaced);
            });
        }
    }
}

/// How long a write may take; it holds nobody up, so it may take longer than a request's step.
const WRITE_DEADLINE: Duration = Duration::from_millis(500);

/// Pause before a failed write is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
