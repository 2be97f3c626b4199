//! Doubts that all processes share.

use std::{
    collections::HashSet,
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{Shared, leases::Leases};
use crate::{
    error::StoreError,
    log::{
        doubts::{Begun, DoubtChange},
        record::Content,
        table::Stamp,
    },
};

impl Shared {
    /// Queues a doubt, which is in force here from now on; returns its ticket.
    pub(in crate::log) fn begin_doubt(&self, begun: &Begun) -> Result<u64, StoreError> {
        if self.redis.is_suspended() {
            return Err(StoreError::unavailable());
        }
        let ticket = {
            let mut outbox = self.outbox();
            if !self.folded.read().has_room_for(begun) {
                return Err(StoreError::refused());
            }
            self.doubted().insert(begun.id);
            self.queue_in(&mut outbox, begins(begun))
        };
        self.queued.notify_one();
        Ok(ticket)
    }

    /// Waits until it stands.
    pub(in crate::log) async fn doubt_stands(
        &self,
        ticket: u64,
        deadline: Duration,
    ) -> Result<Stamp, StoreError> {
        self.stands(ticket, deadline).await
    }

    /// Queues the end of a doubt and what it does to its targets; nothing if nobody has heard of it.
    pub(in crate::log) fn end_doubt(&self, begun: &Begun) -> Option<u64> {
        let ticket = {
            let mut outbox = self.outbox();
            self.doubted().remove(&begun.id);
            if outbox.withdraw(begun.id) {
                self.folded.change(|table| table.doubts().end(begun.id));
                return None;
            }
            self.queue_in(&mut outbox, ends(begun))
        };
        self.queued.notify_one();
        Some(ticket)
    }

    /// The end of a doubt, as its writer brings it about.
    pub(in crate::log) async fn resolve_doubt(
        &self,
        begun: &Begun,
        deadline: Duration,
    ) -> Result<Stamp, StoreError> {
        match self.end_doubt(begun) {
            Some(ticket) => self.stands(ticket, deadline).await,
            None => self.append(hits(begun), deadline).await,
        }
    }

    /// Ends what others began and did not end in time.
    pub(super) fn end_overdue(&self, leases: &mut Leases) {
        let overdue = leases.overdue(self.folded.read().open_doubts(), Instant::now());
        if overdue.is_empty() {
            return;
        }
        // While the log can be read and not written, ends must not pile up.
        let ending = self.outbox().ending();
        for begun in overdue {
            if ending.contains(&begun.id) {
                continue;
            }
            tracing::warn!("the writer of a doubt is late: it is ended from here");
            self.queue(ends(&begun));
        }
    }

    /// Who came into this epoch without what was before has not heard of the doubts of this process.
    pub(super) fn announce_again(&self) {
        let ours = self.doubted().clone();
        let open: Vec<_> = {
            let table = self.folded.read();
            let is_ours = |begun: &&Begun| ours.contains(&begun.id);
            table.open_doubts().filter(is_ours).cloned().collect()
        };
        for begun in open {
            self.queue(begins(&begun));
        }
    }

    fn doubted(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn begins(begun: &Begun) -> Content {
    Content {
        changes: Vec::new(),
        doubts: vec![DoubtChange::Begins(begun.clone())],
    }
}

fn ends(begun: &Begun) -> Content {
    Content {
        doubts: vec![DoubtChange::Ends(begun.id)],
        ..hits(begun)
    }
}

fn hits(begun: &Begun) -> Content {
    Content {
        changes: begun.hits(),
        doubts: Vec::new(),
    }
}
