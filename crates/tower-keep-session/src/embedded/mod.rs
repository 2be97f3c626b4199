//! The sessions of a process that is alone.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tower_keep_store::{Clock, Key, Store};

use self::state::{Kind, Member, State};
use crate::{
    lifetimes::{Lifetimes, TOMBSTONE, millis},
    place::{At, Beginning, Listed, Loaded, New, Replace, Replaced, Write, Written},
    record::{Found, Meta, Record, size},
};

mod apply;
mod state;
#[cfg(test)]
mod tests;
mod tokens;

/// Decides under one lock: nothing is in between.
pub(crate) struct Embedded {
    state: Mutex<State>,
    clock: Clock,
    most_bytes: usize,
}

impl Embedded {
    pub(crate) fn new(store: &Store) -> Self {
        Self {
            state: Mutex::default(),
            clock: store.clock().clone(),
            most_bytes: usize::try_from(store.memory_limit()).unwrap_or(usize::MAX),
        }
    }

    pub(crate) fn load(&self, at: Option<&At>, token: Option<&Key>) -> Loaded {
        let (state, now) = self.enter();
        Loaded {
            found: at.map_or(Found::Nothing, |at| found(&state, at, now)),
            is_revoked: token.is_some_and(|token| state.tokens.contains(token)),
        }
    }

    pub(crate) fn revoke_token(&self, token: &Key, lives: u64) {
        let (mut state, now) = self.enter();
        state.tokens.revoke(*token, now.saturating_add(lives));
    }

    pub(crate) fn renew(&self, at: &At, lifetimes: &Lifetimes) {
        let (mut state, now) = self.enter();
        if let Some(record) = state.alive(at) {
            let until = until(record, lifetimes, now);
            state.expire_at(&at.session, until);
        }
    }

    pub(crate) fn write(&self, at: &At, write: Write, lifetimes: &Lifetimes) -> Written {
        let (mut state, now) = self.enter();
        let Some(record) = state.alive(at) else {
            return Written::Ended;
        };
        let mut changed = record.clone();
        let written = match apply::apply(&mut changed, write) {
            Ok(written) => written,
            Err(refused) => return refused,
        };
        if lifetimes.is_too_large(size(&changed.fields), size(&record.fields)) {
            return Written::TooLarge;
        }
        let until = until(&changed, lifetimes, now);
        state.change(&at.session, changed);
        state.expire_at(&at.session, until);
        state.make_room(&at.session, self.most_bytes);
        written
    }

    pub(crate) fn replace(&self, replace: Replace, lifetimes: &Lifetimes) -> Replaced {
        let (mut state, now) = self.enter();
        let old = match &replace.old {
            None => None,
            Some(old) => match state.alive(old) {
                None => return Replaced::Ended,
                Some(record) => Some(record.clone()),
            },
        };
        let Some(new) = replace.new else {
            if let Some(old) = &replace.old {
                state.bury(old, None, now + millis(TOMBSTONE));
            }
            return Replaced::Done(Record::default(), Vec::new());
        };
        let size_before = old.as_ref().map_or(0, |old| size(&old.fields));
        let mut record = begin(old, &new, lifetimes, now);
        record.change(replace.changes);
        if lifetimes.is_too_large(size(&record.fields), size_before) {
            return Replaced::TooLarge;
        }
        let room = state.has_room(&new.at, replace.old.as_ref(), lifetimes);
        let Some(gave_way) = room else {
            return Replaced::TooMany;
        };
        if let Some(old) = &replace.old {
            let is_rotated = new.beginning == Beginning::Rotated;
            let moved = is_rotated.then_some(new.at.digest);
            let grace = if is_rotated {
                millis(lifetimes.grace)
            } else {
                0
            };
            state.bury(old, moved, now + grace + millis(TOMBSTONE));
        }
        let until = until(&record, lifetimes, now);
        let member = member(&new, &record);
        let kind = Kind::Session(record.clone(), member);
        state.put(new.at.session, kind, until);
        state.make_room(&new.at.session, self.most_bytes);
        Replaced::Done(record, gave_way)
    }

    pub(crate) fn end_all(&self, owner: &Key, keep: Option<&At>) -> bool {
        let (mut state, now) = self.enter();
        if keep.is_some_and(|keep| state.alive(keep).is_none()) {
            return false;
        }
        for key in state.of_owner(owner) {
            if keep.is_none_or(|keep| keep.session != key) {
                state.put(key, Kind::Tombstone(None), now + millis(TOMBSTONE));
            }
        }
        true
    }

    pub(crate) fn list(&self, owner: &Key) -> Vec<Listed> {
        let (state, _) = self.enter();
        state.listed(owner)
    }

    /// The state as it is now, without what has expired.
    fn enter(&self) -> (MutexGuard<'_, State>, u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now().as_micros() / 1000;
        state.expire(now);
        (state, now)
    }
}

fn found(state: &State, at: &At, now: u64) -> Found {
    match state.find(&at.session, now) {
        Some((Kind::Session(record, _), left)) => Found::Session(record.clone(), left),
        // After its grace it remains a sign that somebody has an old ticket.
        Some((Kind::Tombstone(Some(moved)), left)) if left > millis(TOMBSTONE) => {
            Found::Moved(*moved)
        }
        Some((Kind::Tombstone(_), _)) => Found::Ended,
        None => Found::Nothing,
    }
}

/// The record of a session that begins.
fn begin(old: Option<Record>, new: &New, lifetimes: &Lifetimes, now: u64) -> Record {
    let mut record = old.unwrap_or_default();
    let fresh = |user, level| Meta {
        created: now,
        ends: now + lifetimes.absolute_millis(),
        issued: now,
        user,
        level,
        epoch: 0,
    };
    match &new.beginning {
        Beginning::Rotated => record.meta.issued = now,
        Beginning::Anonymous => record.meta = fresh(None, 0),
        Beginning::Login { user, level } => {
            // What one user left in a session is not for the next.
            if record.meta.user.as_ref().is_some_and(|old| old != user) {
                record.fields.clear();
            }
            record.meta = fresh(Some(user.clone()), *level);
        }
    }
    record
}

fn member(new: &New, record: &Record) -> Option<Member> {
    let owner = new.at.owner?;
    let listed = Listed {
        digest: new.at.digest,
        created: record.meta.created,
        label: new.label.clone(),
    };
    Some(Member { owner, listed })
}

/// Until when a session lives if nobody comes.
fn until(record: &Record, lifetimes: &Lifetimes, now: u64) -> u64 {
    (now + lifetimes.idle_millis()).min(record.meta.ends)
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}
