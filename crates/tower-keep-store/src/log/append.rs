//! What this process writes into the log.

use std::time::Duration;

use super::{
    doubt::Doubt,
    doubts::Begun,
    handle::InvalidationLog,
    random,
    record::{Change, Content},
    table::Stamp,
    target::{Mode, Target},
};
use crate::error::StoreError;

impl InvalidationLog {
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

    /// As [`append`](Self::append) for who cannot wait: it is in force here at once, and is written when it can be.
    /// Needs no runtime around it.
    pub fn append_unawaited(&self, targets: &[Target], mode: Mode) {
        let change = |&target: &Target| Change { target, mode };
        let content = Content {
            changes: targets.iter().map(change).collect(),
            doubts: Vec::new(),
        };
        match &self.shared {
            _ if content.is_empty() => {}
            Some(shared) => shared.log().append_unawaited(content),
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
}
