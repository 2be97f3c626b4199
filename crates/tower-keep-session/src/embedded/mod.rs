//! The sessions of a process that is alone.

use std::{
    fmt, mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tower_keep_store::{Clock, Key, Store};

use self::state::{Kind, Member, State, Tomb};
use crate::{
    lifetimes::{Lifetimes, TOMBSTONE, TRAIL, millis},
    place::{At, Beginning, Ended, Listed, Loaded, New, Replace, Replaced, Write, Written},
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

    pub(crate) fn settle(&self, at: &At, befores: &[At], lifetimes: &Lifetimes) {
        let (mut state, now) = self.enter();
        let Some(mut record) = state.alive(at).cloned() else {
            return;
        };
        let digests = befores.iter().map(|before| before.digest);
        if !digests.eq(mem::take(&mut record.meta.befores)) {
            return;
        }
        state.change(&at.session, record);
        let until = now + lifetimes.trail_millis();
        for before in befores {
            if let Some(to) = state.waits(before) {
                state.bury(before, Tomb::Moved(to), until);
            }
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
                state.bury(old, Tomb::Ended, now + millis(TOMBSTONE));
            }
            return Replaced::Done(Record::default(), Vec::new());
        };
        let size_before = old.as_ref().map_or(0, |old| size(&old.fields));
        let mut record = begin(old, &new, lifetimes, now);
        record.change(replace.changes);
        if lifetimes.is_too_large(size(&record.fields), size_before) {
            return Replaced::TooLarge;
        }
        let is_rotated = new.beginning == Beginning::Rotated;
        let room = if is_rotated {
            // A rotation begins no further session.
            Some(Vec::new())
        } else {
            state.has_room(&new.at, replace.old.as_ref(), lifetimes)
        };
        let Some(gave_way) = room else {
            return Replaced::TooMany;
        };
        let mut member = member(&new, &mut record);
        if let Some(old) = replace.old.as_ref().filter(|_| is_rotated) {
            let mut lasts = lifetimes.trail_millis();
            let mut tomb = Tomb::Moved(new.at.digest);
            if !lifetimes.grace.is_zero() {
                record.meta.befores = vec![old.digest];
                lasts = lasts.max(until(&record, lifetimes, now) - now);
                tomb = Tomb::Waits(new.at.digest);
                let came = replace.came.filter(|came| state.waits(came).is_some());
                if let Some(came) = came {
                    record.meta.befores.push(came.digest);
                    state.bury(&came, Tomb::Waits(new.at.digest), now + lasts);
                }
            }
            if let (Some(member), Some(label)) = (&mut member, state.label(old)) {
                member.listed.label = label;
            }
            state.bury(old, tomb, now + lasts);
        } else if let Some(old) = &replace.old {
            state.bury(old, Tomb::Ended, now + millis(TOMBSTONE));
        }
        let until = until(&record, lifetimes, now);
        let kind = Kind::Session(Box::new(record.clone()), member);
        state.put(new.at.session, kind, until);
        state.make_room(&new.at.session, self.most_bytes);
        Replaced::Done(record, gave_way)
    }

    pub(crate) fn end_all(&self, owner: &Key, asks: Option<&At>, keeps: bool) -> bool {
        let (mut state, now) = self.enter();
        if asks.is_some_and(|asks| state.alive(asks).is_none()) {
            return false;
        }
        let keep = asks.filter(|_| keeps);
        for key in state.of_owner(owner) {
            if keep.is_none_or(|keep| keep.session != key) {
                state.put(
                    key,
                    Kind::Tombstone(Tomb::Ended, false),
                    now + millis(TOMBSTONE),
                );
            }
        }
        true
    }

    pub(crate) fn revoke(&self, owner: &Key, id: [u8; 16], asks: Option<&At>) -> Ended {
        let (mut state, now) = self.enter();
        if asks.is_some_and(|asks| state.alive(asks).is_none()) {
            return Ended::Refused;
        }
        let listed = state.listed(owner);
        let Some(listed) = listed.iter().find(|listed| listed.id == id) else {
            return Ended::Before;
        };
        let at = At::of_owner(owner, listed.digest);
        state.bury(&at, Tomb::Ended, now + millis(TOMBSTONE));
        Ended::Now(listed.digest)
    }

    pub(crate) fn list(&self, owner: &Key, asks: Option<&At>) -> Option<Vec<Listed>> {
        let (state, _) = self.enter();
        let has_ended = asks.is_some_and(|asks| state.alive(asks).is_none());
        (!has_ended).then(|| state.listed(owner))
    }

    /// The state as it is now, without what has expired.
    fn enter(&self) -> (MutexGuard<'_, State>, u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        state.expire(now);
        (state, now)
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now().as_micros() / 1000
    }
}

fn found(state: &State, at: &At, now: u64) -> Found {
    match state.find(&at.session, now) {
        Some((Kind::Session(record, _), left)) => Found::Session(Record::clone(record), left),
        // After its grace it remains a sign that somebody has an old ticket.
        Some((Kind::Tombstone(Tomb::Moved(to), _), left)) if left > millis(TRAIL) => {
            Found::Moved(*to)
        }
        Some((Kind::Tombstone(Tomb::Moved(to), _), _)) => Found::Ended(Some(*to)),
        Some((Kind::Tombstone(Tomb::Waits(to), _), _)) => Found::Moved(*to),
        Some((Kind::Tombstone(Tomb::Ended, _), _)) => Found::Ended(None),
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
        id: [0; 16],
        befores: Vec::new(),
    };
    match &new.beginning {
        Beginning::Rotated => {
            record.meta.issued = now;
            record.meta.befores.clear();
        }
        Beginning::Anonymous => record.meta = fresh(None, 0),
        Beginning::Login { user, level } => {
            // What one user left in a session is not for the next.
            if record.meta.user.as_ref().is_some_and(|old| old != user) {
                record.fields.clear();
            }
            let is_same = record.meta.user.as_ref() == Some(user);
            let id = if is_same { record.meta.id } else { [0; 16] };
            record.meta = Meta {
                id,
                ..fresh(Some(user.clone()), *level)
            };
        }
    }
    record
}

fn member(new: &New, record: &mut Record) -> Option<Member> {
    let owner = new.at.owner?;
    if record.meta.id == [0; 16] {
        record.meta.id = new.at.digest;
    }
    let listed = Listed {
        id: record.meta.id,
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
