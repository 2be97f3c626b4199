//! Sessions that begin, take another's place, or end.

use std::mem;

use super::{Core, Issue, State};
use crate::{
    error::SessionError,
    place::{At, Beginning, New, Replace, Replaced},
    record::{Changes, Record},
    ticket::Ticket,
};

impl Core {
    /// Begins a session in the place of the present one, if there is one.
    pub(crate) async fn replace(&self, beginning: Beginning) -> Result<(), SessionError> {
        let _step = self.step.lock().await;
        let (changes, old, is_other) = {
            let mut state = self.state();
            if state.is_read_only {
                return Err(SessionError::ReadOnly);
            }
            let is_other = beginning.is_of_another(state.record.meta.user.as_deref());
            (mem::take(&mut state.changes), state.at, is_other)
        };
        // What was noted for one user is not for the next.
        let none = Changes::new();
        let noted = if is_other { &none } else { &changes };
        let begun = self.begin(beginning, noted, old).await;
        if begun.is_err() {
            self.put_back(changes);
        }
        begun
    }

    pub(super) async fn begin(
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
        let ticket = Ticket::new(owner.as_ref()).within(manager.realm);
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
            let replaced = manager.place.replace(replace, &manager.lifetimes).await;
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
            old = moved;
        }
        if let Some(old) = old {
            manager.tell(old.digest);
        }
        Ok(())
    }

    /// From now on the request's session is the one of this ticket.
    pub(super) fn go_on(&self, ticket: &Ticket, record: Record) {
        let mut state = self.state();
        state.issue = Issue::Ticket(*ticket, record.meta.ends);
        state.at = Some(At::of(ticket));
        state.record = record;
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
