//! One request's view of its session.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::OnceCell;
use tower_keep_store::{Key, PersonalCell};

use crate::{
    error::SessionError,
    label::Label,
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
    token: Option<Key>,
    label: Label,
    reads_on_failure: bool,
    personal: PersonalCell,
    is_touched: AtomicBool,
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
        token: Option<Key>,
        label: Label,
        personal: PersonalCell,
    ) -> Self {
        Self {
            manager: shared.manager.clone(),
            ticket,
            token,
            label,
            reads_on_failure: shared.reads_on_failure,
            personal,
            is_touched: AtomicBool::new(false),
            loaded: OnceCell::new(),
            state: Mutex::default(),
            step: tokio::sync::Mutex::default(),
        }
    }

    /// Whether anybody looked at the session.
    pub(crate) fn is_touched(&self) -> bool {
        self.is_touched.load(Ordering::Acquire)
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
        self.is_touched.store(true, Ordering::Release);
        let loaded = self.loaded.get_or_try_init(|| self.find());
        loaded.await.copied()
    }

    async fn find(&self) -> Result<(), SessionError> {
        if self.ticket.is_none() && self.token.is_none() {
            return Ok(());
        }
        let at = self.ticket.as_ref().map(At::of);
        // A token that may have been revoked is not believed.
        let is_lenient = self.reads_on_failure && self.token.is_none();
        match self.manager.open(at, self.token.as_ref()).await {
            Ok(None) => {}
            Ok(Some((at, found))) => self.take(at, found),
            Err(SessionError::Store(error)) if is_lenient => {
                tracing::debug!(%error, "a session is taken for none, read-only");
                self.state().is_read_only = true;
            }
            Err(error) => return Err(error),
        }
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

    /// The record with these changes, if it is not too large.
    fn changed(&self, record: &Record, changes: &Changes) -> Result<Record, SessionError> {
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
            match self.replace(Beginning::Rotated).await {
                Ok(()) => return Ok(()),
                // It can wait; what was changed cannot.
                Err(error) => tracing::debug!(%error, "a session was not given a new ticket"),
            }
        }
        self.save().await
    }

    /// Whether the ticket is old; one that was just given is not, nor one of a session that has ended.
    fn is_rotation_due(&self) -> bool {
        let manager = &self.manager;
        if manager.lifetimes.rotation.is_none() {
            return false;
        }
        let state = self.state();
        let meta = &state.record.meta;
        let is_due = manager
            .lifetimes
            .is_rotation_due(meta.issued.max(meta.created), manager.now_millis());
        is_due && state.at.is_some() && !state.is_sealed && state.issue == Issue::Nothing
    }

    /// Tells the store what was changed. What comes too late is dropped: the session has ended meanwhile, and
    /// whoever changed it need not know.
    pub(crate) async fn save(&self) -> Result<(), SessionError> {
        let _step = self.step.lock().await;
        let changes = mem::take(&mut self.state().changes);
        let saved = self.store(&changes).await;
        if saved.is_err() {
            self.put_back(changes);
        }
        saved
    }

    /// What the store did not take is not forgotten: whoever answers has to know.
    fn put_back(&self, changes: Changes) {
        let mut state = self.state();
        for (name, value) in changes {
            state.changes.entry(name).or_insert(value);
        }
    }

    async fn store(&self, changes: &Changes) -> Result<(), SessionError> {
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
            return self.begin(Beginning::Anonymous, changes, None).await;
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
                self.begin(beginning, &Changes::new(), None).await?;
                self.state().at.ok_or(SessionError::Ended)?
            }
        };
        match self.write(at, &changes, operation).await? {
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

    /// Writes to the session, wherever a rotation has taken it meanwhile.
    async fn write(
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
            let written = manager.place.write(&at, write, &manager.lifetimes).await?;
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

    /// Begins a session in the place of the present one, if there is one.
    pub(crate) async fn replace(&self, beginning: Beginning) -> Result<(), SessionError> {
        let _step = self.step.lock().await;
        let (changes, old) = {
            let mut state = self.state();
            if state.is_read_only {
                return Err(SessionError::ReadOnly);
            }
            (mem::take(&mut state.changes), state.at)
        };
        let begun = self.begin(beginning, &changes, old).await;
        if begun.is_err() {
            self.put_back(changes);
        }
        begun
    }

    async fn begin(
        &self,
        beginning: Beginning,
        changes: &Changes,
        mut old: Option<At>,
    ) -> Result<(), SessionError> {
        let manager = &self.manager;
        let is_rotation = beginning == Beginning::Rotated;
        let owner = match &beginning {
            Beginning::Login { user, .. } => Some(manager.owner(user)),
            Beginning::Rotated => old.and_then(|old| old.owner),
            Beginning::Anonymous => None,
        };
        let ticket = Ticket::new(owner.as_ref());
        let new = New {
            at: At::of(&ticket),
            beginning,
            label: self.label.text(),
        };
        loop {
            let replace = Replace {
                old,
                new: Some(new.clone()),
                changes: changes.clone(),
            };
            match manager.place.replace(replace, &manager.lifetimes).await? {
                Replaced::Done(record) => {
                    self.go_on(&ticket, record);
                    break;
                }
                Replaced::TooMany => return Err(SessionError::TooManySessions),
                Replaced::TooLarge => return Err(SessionError::TooLarge),
                Replaced::Ended => {}
            }
            let moved = match &old {
                Some(old) => manager.moved(old).await?,
                None => None,
            };
            if is_rotation {
                // Another request did it meanwhile, and tells the client: two new tickets would be one too
                // many.
                self.state().at = Some(moved.ok_or(SessionError::Ended)?);
                return self.save_moved(changes).await;
            }
            old = moved;
        }
        if let Some(old) = old {
            manager.tell(old.digest);
        }
        Ok(())
    }

    /// From now on the request's session is the one of this ticket.
    fn go_on(&self, ticket: &Ticket, record: Record) {
        let mut state = self.state();
        state.issue = Issue::Ticket(*ticket, record.meta.ends);
        state.at = Some(At::of(ticket));
        state.record = record;
        state.is_sealed = false;
    }

    /// Writes what would have gone with a rotation.
    async fn save_moved(&self, changes: &Changes) -> Result<(), SessionError> {
        Box::pin(self.store(changes)).await
    }

    /// Ends the session. Whatever happens, the client is told to forget its ticket.
    pub(crate) async fn end(&self) -> Result<(), SessionError> {
        let _step = self.step.lock().await;
        let old = {
            let mut state = self.state();
            let had_ticket = self.ticket.is_some() || state.issue != Issue::Nothing;
            // While the store fails it is not known whether there is a session: there may be.
            let unknown = self.ticket.filter(|_| state.is_read_only);
            let old = state.at.take().or(unknown.as_ref().map(At::of));
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
