//! One request's view of its session.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use tokio::sync::OnceCell;
use tower_keep_store::{Key, PersonalCell};

use crate::{
    error::SessionError,
    label::Label,
    layer::Shared,
    manager::Manager,
    place::At,
    record::{Changes, Found, Record},
    reused::ReusedTicket,
    stats::count,
    ticket::Ticket,
};

mod noted;
mod over;
mod replace;
mod write;

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
    /// The client is told nothing more: its response is under way.
    pub(crate) is_told: bool,
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

impl State {
    /// What the store has from now on, and, on top of it, what was noted meanwhile.
    fn know(&mut self, record: Record) {
        self.record = record;
        self.record.change(self.changes.clone());
    }

    /// The same of one field.
    pub(crate) fn learn(&mut self, name: &str, value: Option<Bytes>) {
        if !self.changes.contains_key(name) {
            let change = Changes::from([(name.to_owned(), value)]);
            self.record.change(change);
        }
    }
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

    /// Whether anybody looked at the session, or was told whose it is.
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
        self.look().await
    }

    /// The handler is told who is logged in.
    pub(crate) fn identify(&self) {
        self.personal.mark_identified();
        self.is_touched.store(true, Ordering::Release);
    }

    /// Loads it for others than the handler.
    pub(crate) async fn look(&self) -> Result<(), SessionError> {
        let loaded = self.loaded.get_or_try_init(|| self.find());
        loaded.await.copied()
    }

    /// What the client is to be told. From now on it is told nothing more.
    pub(crate) fn tell(&self) -> Issue {
        let mut state = self.state();
        state.is_told = true;
        state.issue
    }

    /// Where the session went that was there, if a rotation took it meanwhile.
    pub(crate) async fn follow(&self, at: &At) -> Result<At, SessionError> {
        let moved = self.manager.moved(at).await?;
        let moved = moved.ok_or(SessionError::Ended)?;
        self.state().at = Some(moved);
        Ok(moved)
    }

    /// Whether there is anything to look up.
    pub(crate) fn has_ticket(&self) -> bool {
        self.ticket.is_some() || self.token.is_some()
    }

    async fn find(&self) -> Result<(), SessionError> {
        if !self.has_ticket() {
            return Ok(());
        }
        let at = self.ticket.as_ref().map(At::of);
        // A token that may have been revoked is not believed.
        let is_lenient = self.reads_on_failure && self.token.is_none();
        match self.manager.open(at, self.token.as_ref()).await {
            Ok(None) => {}
            Ok(Some((at, found))) => {
                if let Found::Ended(Some(digest)) = found {
                    self.suspect(at.sibling(digest)).await;
                }
                self.take(at, found);
            }
            Err(SessionError::Store(error)) if is_lenient => {
                tracing::debug!(%error, "a session is taken for none, read-only");
                self.state().is_read_only = true;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Somebody came with a ticket that led there before it was replaced.
    async fn suspect(&self, at: At) {
        count(&self.manager.counters.reused);
        tracing::warn!("the ticket of a session came again after it was replaced");
        if let Some(hook) = &self.manager.on_reused_ticket {
            // Boxed: other requests need no room for it.
            hook(Box::pin(ReusedTicket::find(&self.manager, at)).await);
        }
    }

    fn take(&self, at: At, found: Found) {
        match found {
            Found::Session(record, left) => {
                let lifetimes = &self.manager.lifetimes;
                let now = self.manager.place.now_millis();
                if lifetimes.is_renewal_due(left, now, record.meta.ends) {
                    self.manager.place.renew(&at, lifetimes);
                }
                let is_own = self.ticket.as_ref().map(At::of) == Some(at);
                if is_own && !record.meta.befores.is_empty() {
                    let befores = record.meta.befores.iter();
                    let befores: Vec<_> = befores.map(|digest| at.sibling(*digest)).collect();
                    self.manager.place.settle(&at, &befores, lifetimes);
                }
                let mut state = self.state();
                state.at = Some(at);
                state.record = record;
            }
            Found::Ended(_) | Found::Moved(_) => {
                count(&self.manager.counters.ended);
                self.state().is_sealed = true;
            }
            Found::Nothing => {}
        }
    }
}
