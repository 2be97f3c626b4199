//! What a request changes.

use std::mem;

use super::{Core, Issue, noted::Noted};
use crate::{
    error::SessionError,
    place::{At, Beginning, Operation, Write, Written},
    record::{Changes, Record, size},
    stats::count,
};

impl Core {
    /// Notes a change, to be told to the store when the response is there. What is as it was is none.
    pub(crate) fn change(&self, mut changes: Changes) -> Result<(), SessionError> {
        let mut state = self.state();
        if state.is_read_only {
            return Err(SessionError::ReadOnly);
        }
        changes.retain(|name, value| state.record.fields.get(name) != value.as_ref());
        state.record = self.changed(&state.record, &changes)?;
        state.changes.extend(changes);
        Ok(())
    }

    /// Notes that all values go that the request knows of.
    pub(crate) fn clear(&self) -> Result<(), SessionError> {
        let names: Vec<_> = self.state().record.fields.keys().cloned().collect();
        self.change(names.into_iter().map(|name| (name, None)).collect())
    }

    /// The record with these changes, if it is not too large.
    pub(super) fn changed(
        &self,
        record: &Record,
        changes: &Changes,
    ) -> Result<Record, SessionError> {
        let mut changed = record.clone();
        changed.change(changes.clone());
        let (size, before) = (size(&changed.fields), size(&record.fields));
        if self.manager.lifetimes.is_too_large(size, before) {
            return Err(SessionError::TooLarge);
        }
        Ok(changed)
    }

    /// Whether there is anything to do once the response is there.
    pub(crate) fn has_to_finish(&self) -> bool {
        let is_changed = !self.state().changes.is_empty();
        is_changed || self.is_rotation_due()
    }

    /// Does what is to be done once the response is there.
    pub(crate) async fn finish(&self) -> Result<(), SessionError> {
        if self.is_rotation_due() {
            match self.rotate().await {
                Ok(()) => return Ok(()),
                // It can wait; what was changed cannot.
                Err(error) => tracing::debug!(%error, "a session was not given a new ticket"),
            }
        }
        self.save().await
    }

    /// Whether the ticket is old, or its client does not know it; one that was just given is not, nor one of a
    /// session that has ended.
    pub(super) fn is_rotation_due(&self) -> bool {
        let (lifetimes, state) = (&self.manager.lifetimes, self.state());
        if state.at.is_none() || state.is_sealed || state.issue != Issue::Nothing {
            return false;
        }
        let (meta, now) = (&state.record.meta, self.manager.place.now_millis());
        let issued = meta.issued.max(meta.created);
        // Whoever still comes with the ticket before has never heard of the one after.
        let is_untold = !meta.befores.is_empty() && self.ticket.as_ref().map(At::of) != state.at;
        let is_untold = is_untold && lifetimes.is_grace_over(issued, now);
        is_untold || lifetimes.is_rotation_due(issued, now)
    }

    /// Tells the store what was changed. What comes too late is dropped: the session has ended meanwhile, and
    /// whoever changed it need not know.
    pub(crate) async fn save(&self) -> Result<(), SessionError> {
        let _step = self.step.lock().await;
        let mut noted = Noted::of(self);
        self.store(&noted.changes).await?;
        noted.changes.clear();
        Ok(())
    }

    pub(super) async fn store(&self, changes: &Changes) -> Result<(), SessionError> {
        let (at, is_sealed) = {
            let state = self.state();
            (state.at, state.is_sealed)
        };
        if changes.is_empty() || is_sealed {
            return Ok(());
        }
        let Some(at) = at else {
            let is_vain = changes.values().all(Option::is_none);
            if is_vain {
                return Ok(());
            }
            return self
                .begin(Beginning::Anonymous, self.terms(), changes, None)
                .await;
        };
        match self.write(at, changes, Operation::None).await? {
            Written::Done => Ok(()),
            Written::TooLarge => Err(SessionError::TooLarge),
            _ => {
                count(&self.manager.counters.late);
                Ok(())
            }
        }
    }

    /// Does something to one field in the store at once, and changes others with it; after what was noted
    /// before.
    pub(crate) async fn operate(
        &self,
        operation: Operation,
        changes: Changes,
    ) -> Result<Written, SessionError> {
        self.save().await?;
        let _step = self.step.lock().await;
        let at = {
            let state = self.state();
            if state.is_read_only {
                return Err(SessionError::ReadOnly);
            }
            if state.is_sealed {
                return Err(SessionError::Ended);
            }
            self.changed(&state.record, &changes)?;
            state.at
        };
        let at = match at {
            Some(at) => at,
            None => {
                let beginning = Beginning::Anonymous;
                let none = Changes::new();
                self.begin(beginning, self.terms(), &none, None).await?;
                self.state().at.ok_or(SessionError::Ended)?
            }
        };
        match self.write(at, &changes, operation).await? {
            Written::Ended => Err(SessionError::Ended),
            Written::TooLarge => Err(SessionError::TooLarge),
            Written::NotANumber => Err(SessionError::NotANumber),
            Written::Conflict(other) => Ok(Written::Conflict(other)),
            written => {
                let mut state = self.state();
                let mut record = mem::take(&mut state.record);
                record.change(changes);
                state.know(record);
                drop(state);
                Ok(written)
            }
        }
    }

    /// Writes to the session, wherever a rotation has taken it meanwhile.
    pub(super) async fn write(
        &self,
        mut at: At,
        changes: &Changes,
        operation: Operation,
    ) -> Result<Written, SessionError> {
        let manager = &self.manager;
        loop {
            let write = Write {
                changes: changes.clone(),
                operation: operation.clone(),
            };
            let written = manager.place.write(&at, write, &manager.lifetimes).await;
            let written = manager.heard(written)?;
            if written != Written::Ended {
                return Ok(written);
            }
            match manager.moved(&at).await? {
                Some(next) => at = next,
                None => return Ok(Written::Ended),
            }
            self.state().at = Some(at);
        }
    }
}
