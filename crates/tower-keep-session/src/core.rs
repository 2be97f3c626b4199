//! One request's view of its session.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;
use tower_keep_store::PersonalCell;

use crate::{
    error::SessionError,
    layer::Shared,
    manager::{Manager, count},
    place::{At, Beginning, New, Operation, Replace, Replaced, Write, Written},
    record::{Changes, Found, Record, size},
    ticket::Ticket,
};

/// What a request knows of its session. Its handles share it.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) manager: Arc<Manager>,
    ticket: Option<Ticket>,
    label: String,
    reads_on_failure: bool,
    personal: PersonalCell,
    loaded: OnceCell<()>,
    state: Mutex<State>,
    /// Held while something goes to the store that what comes after depends on.
    step: tokio::sync::Mutex<()>,
}

/// What is known after the session was loaded.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Where it is; nothing if there is none yet.
    pub(crate) at: Option<At>,
    pub(crate) record: Record,
    /// What the request changed and has not told the store.
    pub(crate) changes: Changes,
    /// The ticket is that of a session that just ended: nothing is written for it, and no cookie is given.
    pub(crate) is_sealed: bool,
    /// Loaded while the store failed.
    pub(crate) is_read_only: bool,
    pub(crate) issue: Issue,
}

/// What the client is to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Issue {
    #[default]
    Nothing,
    /// A new ticket, and when its session ends at the latest.
    Ticket(Ticket, u64),
    /// That its ticket is of no use any more.
    Removal,
}

impl Core {
    /// Of a request with this ticket, by these rules.
    pub(crate) fn new(
        shared: &Shared,
        ticket: Option<Ticket>,
        label: String,
        personal: PersonalCell,
    ) -> Self {
        Self {
            manager: shared.manager.clone(),
            ticket,
            label,
            reads_on_failure: shared.reads_on_failure,
            personal,
            loaded: OnceCell::new(),
            state: Mutex::default(),
            step: tokio::sync::Mutex::default(),
        }
    }

    /// Whether anybody looked at the session.
    pub(crate) fn is_touched(&self) -> bool {
        self.personal.is_marked()
    }

    /// Where it is told whether anybody did.
    pub(crate) fn personal(&self) -> PersonalCell {
        self.personal.clone()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads the session, once.
    pub(crate) async fn load(&self) -> Result<(), SessionError> {
        self.personal.mark();
        let loaded = self.loaded.get_or_try_init(|| self.find());
        loaded.await.copied()
    }

    async fn find(&self) -> Result<(), SessionError> {
        let Some(ticket) = self.ticket else {
            return Ok(());
        };
        let mut at = At::of(&ticket);
        let mut found = self.manager.place.load(&at).await;
        if let Ok(Found::Moved(digest)) = found {
            at = at.sibling(digest);
            found = self.manager.place.load(&at).await;
        }
        let found = match found {
            Ok(found) => found,
            Err(error) if self.reads_on_failure => {
                tracing::debug!(%error, "a session is taken for none, read-only");
                self.state().is_read_only = true;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        self.take(at, found);
        Ok(())
    }

    fn take(&self, at: At, found: Found) {
        match found {
            Found::Session(record, left) => {
                let lifetimes = &self.manager.lifetimes;
                let now = self.manager.now_millis();
                if lifetimes.is_renewal_due(left, now, record.meta.ends) {
                    self.manager.place.renew(&at, lifetimes);
                }
                let mut state = self.state();
                state.at = Some(at);
                state.record = record;
            }
            Found::Ended | Found::Moved(_) => {
                count(&self.manager.counters.ended);
                self.state().is_sealed = true;
            }
            Found::Nothing => {}
        }
    }

    /// Notes a change, to be told to the store when the response is there.
    pub(crate) fn change(&self, changes: Changes) -> Result<(), SessionError> {
        let mut state = self.state();
        if state.is_read_only {
            return Err(SessionError::ReadOnly);
        }
        state.record = self.changed(&state.record, &changes)?;
        state.changes.extend(changes);
        Ok(())
    }

    /// The record with these changes, if it is not too large.
    fn changed(&self, record: &Record, changes: &Changes) -> Result<Record, SessionError> {
        let mut record = record.clone();
        record.change(changes.clone());
        if size(&record.fields) > self.manager.lifetimes.largest {
            return Err(SessionError::TooLarge);
        }
        Ok(record)
    }

    /// Tells the store what was changed. What comes too late is dropped: the session has ended meanwhile, and
    /// whoever changed it need not know.
    pub(crate) async fn save(&self) -> Result<(), SessionError> {
        let _step = self.step.lock().await;
        let (changes, at, is_sealed) = {
            let mut state = self.state();
            let changes = mem::take(&mut state.changes);
            (changes, state.at, state.is_sealed)
        };
        if changes.is_empty() || is_sealed {
            return Ok(());
        }
        let Some(at) = at else {
            let is_vain = changes.values().all(Option::is_none);
            if is_vain {
                return Ok(());
            }
            return self.begin(Beginning::Anonymous, changes, None, false).await;
        };
        match self.write(&at, changes, Operation::None).await? {
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
                self.begin(beginning, Changes::new(), None, false).await?;
                self.state().at.ok_or(SessionError::Ended)?
            }
        };
        match self.write(&at, changes.clone(), operation).await? {
            Written::Ended => Err(SessionError::Ended),
            Written::TooLarge => Err(SessionError::TooLarge),
            Written::NotANumber => Err(SessionError::NotANumber),
            Written::Conflict(other) => Ok(Written::Conflict(other)),
            written => {
                self.state().record.change(changes);
                Ok(written)
            }
        }
    }

    async fn write(
        &self,
        at: &At,
        changes: Changes,
        operation: Operation,
    ) -> Result<Written, SessionError> {
        let write = Write { changes, operation };
        let manager = &self.manager;
        let written = manager.place.write(at, write, &manager.lifetimes).await?;
        Ok(written)
    }

    /// Begins a session in the place of the present one, if there is one.
    pub(crate) async fn replace(
        &self,
        beginning: Beginning,
        needs_old: bool,
    ) -> Result<(), SessionError> {
        let _step = self.step.lock().await;
        let (changes, old) = {
            let mut state = self.state();
            if state.is_read_only {
                return Err(SessionError::ReadOnly);
            }
            (mem::take(&mut state.changes), state.at)
        };
        self.begin(beginning, changes, old, needs_old).await
    }

    async fn begin(
        &self,
        beginning: Beginning,
        changes: Changes,
        old: Option<At>,
        needs_old: bool,
    ) -> Result<(), SessionError> {
        let owner = match &beginning {
            Beginning::Login { user, .. } => Some(self.manager.owner(user)),
            Beginning::Rotated => old.and_then(|old| old.owner),
            Beginning::Anonymous => None,
        };
        let ticket = Ticket::new(owner.as_ref());
        let at = At::of(&ticket);
        let new = New {
            at,
            beginning,
            label: self.label.clone(),
        };
        let replace = Replace {
            old,
            needs_old,
            new: Some(new),
            changes,
        };
        let manager = &self.manager;
        match manager.place.replace(replace, &manager.lifetimes).await? {
            Replaced::Done(record) => {
                let mut state = self.state();
                state.issue = Issue::Ticket(ticket, record.meta.ends);
                state.at = Some(at);
                state.record = record;
                state.is_sealed = false;
            }
            Replaced::Ended => return Err(SessionError::Ended),
            Replaced::TooMany => return Err(SessionError::TooManySessions),
            Replaced::TooLarge => return Err(SessionError::TooLarge),
        }
        if let Some(old) = old {
            manager.tell(old.digest).await;
        }
        Ok(())
    }

    /// Ends the session. Whatever happens, the client is told to forget its ticket.
    pub(crate) async fn end(&self) -> Result<(), SessionError> {
        let _step = self.step.lock().await;
        let old = {
            let mut state = self.state();
            let had_ticket = self.ticket.is_some() || state.issue != Issue::Nothing;
            let old = state.at.take();
            let issue = if had_ticket && !state.is_sealed {
                Issue::Removal
            } else {
                state.issue
            };
            *state = State {
                is_sealed: true,
                issue,
                ..State::default()
            };
            old
        };
        match old {
            Some(old) => self.manager.end(old).await,
            None => Ok(()),
        }
    }
}
