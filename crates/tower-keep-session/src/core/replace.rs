//! Sessions that begin, take another's place, or end.

use super::{Core, Issue, State, noted::Noted};
use crate::{
    error::SessionError,
    login::{Login, Terms},
    place::{At, Beginning, New, Replace, Replaced},
    record::{Changes, Record},
    ticket::Ticket,
};

impl Core {
    /// Logs a user in: a session begins in the place of the present one, if there is one.
    pub(crate) async fn login(&self, login: Login) -> Result<(), SessionError> {
        let terms = login.terms(&self.manager.lifetimes, self.is_remembered());
        let Login { user, level, .. } = login;
        self.replace(Beginning::Login { user, level }, terms).await
    }

    /// Gives the session another ticket.
    pub(crate) async fn rotate(&self) -> Result<(), SessionError> {
        self.replace(Beginning::Rotated, self.terms()).await
    }

    async fn replace(&self, beginning: Beginning, terms: Terms) -> Result<(), SessionError> {
        let _step = self.step.lock().await;
        let (old, is_other) = {
            let state = self.state();
            if state.is_read_only {
                return Err(SessionError::ReadOnly);
            }
            let is_other = beginning.is_of_another(state.record.meta.user.as_deref());
            (state.at, is_other)
        };
        let mut noted = Noted::of(self);
        // What was noted for one user is not for the next.
        let none = Changes::new();
        let changes = if is_other { &none } else { &noted.changes };
        self.begin(beginning, terms, changes, old).await?;
        noted.changes.clear();
        Ok(())
    }

    pub(super) async fn begin(
        &self,
        beginning: Beginning,
        terms: Terms,
        changes: &Changes,
        mut old: Option<At>,
    ) -> Result<(), SessionError> {
        if self.state().is_told {
            return Err(SessionError::TooLate);
        }
        let manager = &self.manager;
        let is_rotation = beginning == Beginning::Rotated;
        let owner = match &beginning {
            Beginning::Login { user, .. } => Some(manager.owner(user)),
            Beginning::Rotated => old.and_then(|old| old.owner),
            Beginning::Anonymous => None,
        };
        let ticket = Ticket::new(owner.as_ref()).within(manager.realm);
        let ticket = ticket.remembered(terms.is_remembered);
        let new = New {
            at: At::of(&ticket),
            beginning,
            label: self.label.text(),
        };
        loop {
            let replace = Replace {
                old,
                came: old
                    .filter(|_| is_rotation)
                    .and_then(|old| self.led_to(&old)),
                new: Some(new.clone()),
                changes: changes.clone(),
            };
            let replaced = manager.place.replace(replace, &terms.lifetimes).await;
            match manager.heard(replaced)? {
                Replaced::Done(record, gave_way) => {
                    self.go_on(&ticket, record);
                    for digest in gave_way {
                        manager.tell(digest);
                    }
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
            if moved.is_none() && self.is_of(&new.beginning) {
                // Whoever was thrown out meanwhile does not come in again by this door.
                return Err(SessionError::Ended);
            }
            old = moved;
        }
        if let Some(old) = old {
            manager.tell(old.digest);
        }
        Ok(())
    }

    /// The terms of the present session.
    pub(super) fn terms(&self) -> Terms {
        Terms {
            is_remembered: self.is_remembered(),
            lifetimes: self.manager.lifetimes,
        }
    }

    /// Whether the client keeps its ticket when it is closed.
    fn is_remembered(&self) -> bool {
        match self.state().issue {
            Issue::Ticket(ticket, _) => ticket.is_remembered,
            Issue::Nothing | Issue::Removal => {
                self.ticket.is_none_or(|ticket| ticket.is_remembered)
            }
        }
    }

    /// Whether the request came with a session of the user who logs in.
    fn is_of(&self, beginning: &Beginning) -> bool {
        match beginning {
            Beginning::Login { user, .. } => self.state().record.meta.user.as_ref() == Some(user),
            Beginning::Rotated | Beginning::Anonymous => false,
        }
    }

    /// The session with whose ticket the request came, if it led there: not to one that the request began.
    fn led_to(&self, old: &At) -> Option<At> {
        let came = self.ticket.as_ref().map(At::of)?;
        let is_led = self.state().issue == Issue::Nothing && came != *old;
        is_led.then_some(came)
    }

    /// From now on the request's session is the one of this ticket.
    pub(super) fn go_on(&self, ticket: &Ticket, record: Record) {
        let mut state = self.state();
        state.issue = Issue::Ticket(*ticket, record.meta.ends);
        state.at = Some(At::of(ticket));
        state.know(record);
        state.is_sealed = false;
    }

    /// Writes what would have gone with a rotation.
    pub(super) async fn save_moved(&self, changes: &Changes) -> Result<(), SessionError> {
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
            let old = state.at.or(unknown.as_ref().map(At::of));
            let issue = if had_ticket && !state.is_sealed {
                Issue::Removal
            } else {
                state.issue
            };
            // It is known where it is until it has ended: whoever is told of a failure may try again.
            *state = State {
                at: old,
                is_sealed: true,
                issue,
                is_told: state.is_told,
                ..State::default()
            };
            old
        };
        if let Some(old) = old {
            self.manager.end(old).await?;
            self.state().at = None;
        }
        Ok(())
    }
}
