//! The guard of a change under way.

use std::{fmt, time::Duration};

use super::{
    InvalidationLog,
    doubts::{Begun, DoubtChange},
    record::Content,
    table::Stamp,
};
use crate::error::StoreError;

/// Targets in doubt, in every process; see [`InvalidationLog::doubt`].
///
/// Ends with [`resolve`](Self::resolve), after the commit. Dropped, it ends all the same, in the background:
/// the change may have been made. Either way what was fetched before the end is refused.
#[must_use = "dropped, the doubt ends"]
pub struct Doubt {
    log: InvalidationLog,
    begun: Begun,
    deadline: Duration,
    is_open: bool,
}

impl Doubt {
    pub(super) async fn begin(
        log: &InvalidationLog,
        begun: Begun,
        deadline: Duration,
    ) -> Result<Self, StoreError> {
        let mut doubt = Self {
            log: log.clone(),
            begun,
            deadline,
            is_open: false,
        };
        if doubt.begun.targets.is_empty() {
            return Ok(doubt);
        }
        match &log.shared {
            Some(shared) => {
                let ticket = shared.log().begin_doubt(&doubt.begun)?;
                // From here on it ends with its guard, should nobody wait any longer.
                doubt.is_open = true;
                shared.log().doubt_stands(ticket, deadline).await?;
            }
            None => {
                log.begin_here(&doubt.begun)?;
                doubt.is_open = true;
            }
        }
        Ok(doubt)
    }

    /// Ends the doubt, and invalidates its targets hard, with one record. Returns where that stands.
    ///
    /// Dropping the future takes nothing back.
    ///
    /// # Errors
    ///
    /// The record is not known to stand in the log yet. The targets stay refused in this process, and the
    /// record goes on being written; elsewhere the doubt lasts until it stands or the lease is over.
    pub async fn resolve(mut self) -> Result<Stamp, StoreError> {
        if !self.is_open {
            return Ok(self.log.stamp());
        }
        match &self.log.shared {
            Some(shared) => {
                let ending = shared.log().resolve_doubt(&self.begun, self.deadline);
                self.is_open = false;
                ending.await
            }
            None => {
                self.is_open = false;
                Ok(self.log.end_here(&self.begun))
            }
        }
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        match &self.log.shared {
            Some(shared) => {
                let _queued = shared.log().end_doubt(&self.begun);
            }
            None => {
                let _ended = self.log.end_here(&self.begun);
            }
        }
    }
}

impl fmt::Debug for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doubt")
            .field("targets", &self.begun.targets)
            .finish_non_exhaustive()
    }
}

impl InvalidationLog {
    fn begin_here(&self, begun: &Begun) -> Result<(), StoreError> {
        if !self.folded.read().has_room_for(begun) {
            return Err(StoreError::refused());
        }
        let _at = self.folded.append_here(Content {
            changes: Vec::new(),
            doubts: vec![DoubtChange::Begins(begun.clone())],
        });
        Ok(())
    }

    fn end_here(&self, begun: &Begun) -> Stamp {
        self.folded.append_here(Content {
            changes: begun.hits(),
            doubts: vec![DoubtChange::Ends(begun.id)],
        })
    }
}
