//! The sessions of a process that is alone.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tower_keep_store::{Clock, Key, Store};

use crate::{
    lifetimes::{Lifetimes, TOMBSTONE, millis},
    place::{At, Beginning, Listed, New, Operation, Replace, Replaced, Write, Written},
    record::{Found, Meta, Record, size},
};

/// Decides under one lock: nothing is in between.
pub(crate) struct Embedded {
    state: Mutex<State>,
    clock: Clock,
    most_bytes: usize,
}

#[derive(Default)]
struct State {
    sessions: HashMap<Key, Slot>,
    /// By when they expire, so that what has is found.
    order: BTreeMap<(u64, u64), Key>,
    owners: HashMap<Key, Owner>,
    bytes: usize,
    counter: u64,
}

struct Slot {
    kind: Kind,
    /// Its place in the order.
    place: (u64, u64),
    bytes: usize,
}

enum Kind {
    Session(Record),
    Tombstone(Option<[u8; 16]>),
}

#[derive(Default)]
struct Owner {
    epoch: u64,
    /// Until when that counts.
    until: u64,
    sessions: Vec<Listed>,
}

impl Embedded {
    pub(crate) fn new(store: &Store) -> Self {
        Self {
            state: Mutex::default(),
            clock: store.clock().clone(),
            most_bytes: usize::try_from(store.memory_limit()).unwrap_or(usize::MAX),
        }
    }

    pub(crate) fn load(&self, at: &At) -> Found {
        let (state, now) = self.enter();
        if let Some(record) = state.alive(at) {
            let record = record.clone();
            let left = state.sessions[&at.session].place.0.saturating_sub(now);
            return Found::Session(record, left);
        }
        match state.sessions.get(&at.session).map(|slot| &slot.kind) {
            Some(Kind::Tombstone(Some(moved))) => Found::Moved(*moved),
            Some(Kind::Tombstone(None)) => Found::Ended,
            _ => Found::Nothing,
        }
    }

    pub(crate) fn renew(&self, at: &At, lifetimes: &Lifetimes) {
        let (mut state, now) = self.enter();
        if let Some(record) = state.alive(at) {
            let until = (now + lifetimes.idle_millis()).min(record.meta.ends);
            state.expire_at(&at.session, until);
        }
    }

    pub(crate) fn write(&self, at: &At, write: Write, lifetimes: &Lifetimes) -> Written {
        let (mut state, now) = self.enter();
        let Some(record) = state.alive(at) else {
            return Written::Ended;
        };
        let mut changed = record.clone();
        let written = match apply(&mut changed, write) {
            Ok(written) => written,
            Err(refused) => return refused,
        };
        if size(&changed.fields) > lifetimes.largest {
            return Written::TooLarge;
        }
        let until = (now + lifetimes.idle_millis()).min(changed.meta.ends);
        state.put(at.session, Kind::Session(changed), until);
        self.make_room(&mut state, &at.session);
        written
    }

    pub(crate) fn replace(&self, replace: Replace, lifetimes: &Lifetimes) -> Replaced {
        let (mut state, now) = self.enter();
        let old = replace.old.and_then(|old| state.alive(&old).cloned());
        let was_there = old.is_some();
        if !was_there && replace.needs_old {
            return Replaced::Ended;
        }
        let mut record = begin(old, replace.new.as_ref(), lifetimes, now);
        record.change(replace.changes);
        if size(&record.fields) > lifetimes.largest {
            return Replaced::TooLarge;
        }
        let owner = replace.new.as_ref().and_then(|new| new.at.owner);
        let is_full = |state: &mut State| {
            owner.is_some_and(|owner| !state.has_room(&owner, replace.old, lifetimes))
        };
        if is_full(&mut state) {
            return Replaced::TooMany;
        }
        let moved = replace
            .new
            .as_ref()
            .filter(|new| new.beginning == Beginning::Rotated);
        if let Some(old) = replace.old.filter(|_| was_there) {
            state.bury(&old, moved.map(|new| new.at.digest), lifetimes, now);
        }
        if let Some(new) = replace.new {
            state.begin(&new, &mut record, lifetimes, now);
            self.make_room(&mut state, &new.at.session);
        }
        Replaced::Done(record)
    }

    pub(crate) fn end_all(&self, owner: &Key, keep: Option<&At>, lifetimes: &Lifetimes) -> bool {
        let (mut state, now) = self.enter();
        if keep.is_some_and(|keep| state.alive(keep).is_none()) {
            return false;
        }
        let of = state.owners.entry(*owner).or_default();
        of.epoch += 1;
        of.until = now + lifetimes.absolute_millis();
        let epoch = of.epoch;
        let kept = |listed: &Listed| keep.is_some_and(|keep| keep.digest == listed.digest);
        of.sessions.retain(kept);
        if let Some(Kind::Session(record)) = keep
            .and_then(|keep| state.sessions.get_mut(&keep.session))
            .map(|slot| &mut slot.kind)
        {
            record.meta.epoch = epoch;
        }
        true
    }

    pub(crate) fn list(&self, owner: &Key) -> Vec<Listed> {
        let (mut state, _) = self.enter();
        state.prune(owner);
        state
            .owners
            .get(owner)
            .map_or_else(Vec::new, |owner| owner.sessions.clone())
    }

    /// The state as it is now, without what has expired.
    fn enter(&self) -> (MutexGuard<'_, State>, u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now().as_micros() / 1000;
        state.expire(now);
        (state, now)
    }

    /// Where memory ends, the session that would expire first goes; not the one just written.
    fn make_room(&self, state: &mut State, but: &Key) {
        while state.bytes > self.most_bytes {
            let first = state.order.values().find(|key| *key != but).copied();
            let Some(first) = first else {
                return;
            };
            state.remove(&first);
        }
    }
}

impl State {
    fn alive(&self, at: &At) -> Option<&Record> {
        let slot = self.sessions.get(&at.session)?;
        let Kind::Session(record) = &slot.kind else {
            return None;
        };
        let epoch = at.owner.map_or(0, |owner| self.epoch(&owner));
        (record.meta.epoch >= epoch).then_some(record)
    }

    fn epoch(&self, owner: &Key) -> u64 {
        self.owners.get(owner).map_or(0, |owner| owner.epoch)
    }

    /// Leaves word that a session ended, or where it went.
    fn bury(&mut self, at: &At, moved: Option<[u8; 16]>, lifetimes: &Lifetimes, now: u64) {
        let lasts = if moved.is_some() {
            lifetimes.grace
        } else {
            TOMBSTONE
        };
        if let Some(owner) = at.owner.and_then(|owner| self.owners.get_mut(&owner)) {
            owner.sessions.retain(|listed| listed.digest != at.digest);
        }
        self.put(at.session, Kind::Tombstone(moved), now + millis(lasts));
    }

    fn begin(&mut self, new: &New, record: &mut Record, lifetimes: &Lifetimes, now: u64) {
        if let Some(owner) = new.at.owner {
            record.meta.epoch = self.epoch(&owner);
            let until = now + lifetimes.absolute_millis();
            let of = self.owners.entry(owner).or_default();
            of.until = of.until.max(until);
            of.sessions.push(Listed {
                digest: new.at.digest,
                created: record.meta.created,
                label: new.label.clone(),
            });
        }
        let until = (now + lifetimes.idle_millis()).min(record.meta.ends);
        self.put(new.at.session, Kind::Session(record.clone()), until);
    }

    /// Whether a user may have one more session, besides the old one that it replaces.
    fn has_room(&mut self, owner: &Key, old: Option<At>, lifetimes: &Lifetimes) -> bool {
        self.prune(owner);
        let Some(of) = self.owners.get(owner) else {
            return true;
        };
        let others = of
            .sessions
            .iter()
            .filter(|listed| old.is_none_or(|old| old.digest != listed.digest));
        let mut others: Vec<_> = others.cloned().collect();
        others.sort_by_key(|listed| listed.created);
        let most = lifetimes.most_per_user as usize;
        let too_many = (others.len() + 1).saturating_sub(most);
        if too_many > 0 && !lifetimes.oldest_gives_way {
            return false;
        }
        for listed in others.iter().take(too_many) {
            self.remove(&At::of_owner(owner, listed.digest).session);
        }
        self.prune(owner);
        true
    }

    /// Takes sessions off a user's list that are not there any more.
    fn prune(&mut self, owner: &Key) {
        let Some(mut of) = self.owners.remove(owner) else {
            return;
        };
        of.sessions.retain(|listed| {
            let at = At::of_owner(owner, listed.digest);
            let slot = self.sessions.get(&at.session);
            matches!(slot.map(|slot| &slot.kind), Some(Kind::Session(_)))
        });
        self.owners.insert(*owner, of);
    }

    fn put(&mut self, key: Key, kind: Kind, until: u64) {
        self.remove(&key);
        let bytes = match &kind {
            Kind::Session(record) => SLOT_BYTES + size(&record.fields),
            Kind::Tombstone(_) => SLOT_BYTES,
        };
        self.counter += 1;
        let place = (until, self.counter);
        self.bytes += bytes;
        self.order.insert(place, key);
        self.sessions.insert(key, Slot { kind, place, bytes });
    }

    fn expire_at(&mut self, key: &Key, until: u64) {
        if let Some(slot) = self.sessions.get_mut(key) {
            self.order.remove(&slot.place);
            slot.place.0 = until;
            self.order.insert(slot.place, *key);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(slot) = self.sessions.remove(key) {
            self.order.remove(&slot.place);
            self.bytes -= slot.bytes;
        }
    }

    fn expire(&mut self, now: u64) {
        let mut has_expired = false;
        while let Some((&(until, _), key)) = self.order.first_key_value() {
            if until > now {
                break;
            }
            let key = *key;
            self.remove(&key);
            has_expired = true;
        }
        if has_expired {
            self.owners.retain(|_, owner| owner.until > now);
        }
    }
}

/// The record of a session that begins.
fn begin(old: Option<Record>, new: Option<&New>, lifetimes: &Lifetimes, now: u64) -> Record {
    let mut record = old.unwrap_or_default();
    let Some(new) = new else {
        return record;
    };
    let fresh = |user, level| Meta {
        created: now,
        ends: now + lifetimes.absolute_millis(),
        user,
        level,
        epoch: 0,
    };
    match &new.beginning {
        Beginning::Rotated => {}
        Beginning::Anonymous => record.meta = fresh(None, 0),
        Beginning::Login { user, level } => record.meta = fresh(Some(user.clone()), *level),
    }
    record
}

/// Carries out a write on a copy; what it was refused for otherwise.
fn apply(record: &mut Record, write: Write) -> Result<Written, Written> {
    let written = match write.operation {
        Operation::None => Written::Done,
        Operation::Expect(name, expected) => {
            let present = record.fields.get(&name).cloned();
            if present != expected {
                return Err(Written::Conflict(present));
            }
            Written::Done
        }
        Operation::Add(name, by) => {
            let present = record.fields.get(&name).map(number);
            let sum = match present {
                None => Some(by),
                Some(number) => number.and_then(|number| number.checked_add(by)),
            };
            let sum = sum.ok_or(Written::NotANumber)?;
            let text = Bytes::from(sum.to_string());
            record.fields.insert(name, text);
            Written::Sum(sum)
        }
        Operation::Take(name) => Written::Taken(record.fields.remove(&name)),
    };
    record.change(write.changes);
    Ok(written)
}

fn number(text: &Bytes) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}

/// About what a session takes besides its fields.
const SLOT_BYTES: usize = 256;
