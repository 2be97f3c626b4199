//! All sessions of a process, found by key, by when they expire, and by whose they are.

use std::collections::{BTreeMap, HashMap};

use tower_keep_store::Key;

use super::tokens::Tokens;
use crate::{
    lifetimes::Lifetimes,
    place::{At, Listed},
    record::{Record, size},
};

#[derive(Default)]
pub(super) struct State {
    sessions: HashMap<Key, Slot>,
    /// By when they expire, so that what has is found.
    order: BTreeMap<(u64, u64), Key>,
    /// Those without a user, and what is left of such, in the same order.
    of_nobody: BTreeMap<(u64, u64), Key>,
    /// The sessions of each user that has some.
    owners: HashMap<Key, Vec<Key>>,
    pub(super) tokens: Tokens,
    pub(super) bytes: usize,
    counter: u64,
}

struct Slot {
    kind: Kind,
    /// Its place in the order.
    place: (u64, u64),
    bytes: usize,
}

pub(super) enum Kind {
    Session(Box<Record>, Option<Member>),
    /// What is left of one, and whether that was nobody's.
    Tombstone(Tomb, bool),
}

/// What is left of a session that ended.
pub(super) enum Tomb {
    Ended,
    /// It was rotated: where it went.
    Moved([u8; 16]),
    /// The same, as long as nobody has come with the new ticket.
    Waits([u8; 16]),
}

/// Whose a session is, and what its user's list says of it.
pub(super) struct Member {
    pub(super) owner: Key,
    pub(super) listed: Listed,
}

impl Kind {
    fn is_of_nobody(&self) -> bool {
        matches!(self, Self::Session(_, None) | Self::Tombstone(_, true))
    }

    fn member(&self) -> Option<&Member> {
        match self {
            Self::Session(_, member) => member.as_ref(),
            Self::Tombstone(..) => None,
        }
    }

    fn bytes(&self) -> usize {
        let label = |member: &Member| MEMBER_BYTES + member.listed.label.len();
        let fields = match self {
            Self::Session(record, _) => {
                let user = record.meta.user.as_ref().map_or(0, String::len);
                size(&record.fields) + user
            }
            Self::Tombstone(..) => 0,
        };
        SLOT_BYTES + fields + self.member().map_or(0, label)
    }
}

impl State {
    /// What is there, and how much longer.
    pub(super) fn find(&self, key: &Key, now: u64) -> Option<(&Kind, u64)> {
        let slot = self.sessions.get(key)?;
        Some((&slot.kind, slot.place.0.saturating_sub(now)))
    }

    pub(super) fn alive(&self, at: &At) -> Option<&Record> {
        match &self.sessions.get(&at.session)?.kind {
            Kind::Session(record, _) => Some(record),
            Kind::Tombstone(..) => None,
        }
    }

    /// Where a ticket leads until somebody comes with the one after it.
    pub(super) fn waits(&self, at: &At) -> Option<[u8; 16]> {
        match &self.sessions.get(&at.session)?.kind {
            Kind::Tombstone(Tomb::Waits(to), _) => Some(*to),
            _ => None,
        }
    }

    /// What its user's list calls a session.
    pub(super) fn label(&self, at: &At) -> Option<String> {
        let member = self.sessions.get(&at.session)?.kind.member()?;
        Some(member.listed.label.clone())
    }

    /// A user's sessions.
    pub(super) fn of_owner(&self, owner: &Key) -> Vec<Key> {
        self.owners.get(owner).cloned().unwrap_or_default()
    }

    /// A user's sessions as they are listed, the oldest first.
    pub(super) fn listed(&self, owner: &Key) -> Vec<Listed> {
        let keys = self.owners.get(owner).into_iter().flatten();
        let slots = keys.filter_map(|key| self.sessions.get(key));
        let members = slots.filter_map(|slot| slot.kind.member());
        let mut listed: Vec<_> = members.map(|member| member.listed.clone()).collect();
        listed.sort_by_key(Listed::order);
        listed
    }

    /// Whether a user may have one more session, in the place of an old one perhaps. Makes room if that is
    /// allowed; then, which had to go.
    pub(super) fn has_room(
        &mut self,
        new: &At,
        old: Option<&At>,
        lifetimes: &Lifetimes,
    ) -> Option<Vec<[u8; 16]>> {
        let Some(owner) = &new.owner else {
            return Some(Vec::new());
        };
        let mut others = self.listed(owner);
        others.retain(|listed| old.is_none_or(|old| old.digest != listed.digest));
        let most = lifetimes.most_per_user as usize;
        let too_many = (others.len() + 1).saturating_sub(most);
        if too_many > 0 && !lifetimes.oldest_gives_way {
            return None;
        }
        others.truncate(too_many);
        for listed in &others {
            self.remove(&At::of_owner(owner, listed.digest).session);
        }
        Some(others.iter().map(|listed| listed.digest).collect())
    }

    /// Leaves word that a session ended, or where it went.
    pub(super) fn bury(&mut self, at: &At, tomb: Tomb, until: u64) {
        let is_of_nobody = at.owner.is_none();
        self.put(at.session, Kind::Tombstone(tomb, is_of_nobody), until);
    }

    pub(super) fn put(&mut self, key: Key, kind: Kind, until: u64) {
        self.remove(&key);
        if let Some(member) = kind.member() {
            self.owners.entry(member.owner).or_default().push(key);
        }
        self.counter += 1;
        let place = (until, self.counter);
        let bytes = kind.bytes();
        self.bytes += bytes;
        self.order.insert(place, key);
        if kind.is_of_nobody() {
            self.of_nobody.insert(place, key);
        }
        self.sessions.insert(key, Slot { kind, place, bytes });
    }

    /// Gives a session another record.
    pub(super) fn change(&mut self, key: &Key, changed: Record) {
        let Some(slot) = self.sessions.get_mut(key) else {
            return;
        };
        if let Kind::Session(record, _) = &mut slot.kind {
            **record = changed;
        }
        self.bytes -= slot.bytes;
        slot.bytes = slot.kind.bytes();
        self.bytes += slot.bytes;
    }

    pub(super) fn expire_at(&mut self, key: &Key, until: u64) {
        if let Some(slot) = self.sessions.get_mut(key) {
            let is_of_nobody = self.of_nobody.remove(&slot.place).is_some();
            self.order.remove(&slot.place);
            slot.place.0 = until;
            self.order.insert(slot.place, *key);
            if is_of_nobody {
                self.of_nobody.insert(slot.place, *key);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &Key) {
        let Some(slot) = self.sessions.remove(key) else {
            return;
        };
        self.order.remove(&slot.place);
        self.of_nobody.remove(&slot.place);
        self.bytes -= slot.bytes;
        let Some(member) = slot.kind.member() else {
            return;
        };
        if let Some(keys) = self.owners.get_mut(&member.owner) {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.owners.remove(&member.owner);
            }
        }
    }

    pub(super) fn expire(&mut self, now: u64) {
        self.tokens.expire(now);
        while let Some((&(until, _), key)) = self.order.first_key_value() {
            if until > now {
                return;
            }
            let key = *key;
            self.remove(&key);
        }
    }

    /// Where memory ends, the session that would expire first goes, and before all others those of nobody, which
    /// anybody can make; not the one just written.
    pub(super) fn make_room(&mut self, but: &Key, most_bytes: usize) {
        while self.bytes > most_bytes {
            let mut all = self.of_nobody.values().chain(self.order.values());
            let first = all.find(|key| *key != but).copied();
            let Some(first) = first else {
                return;
            };
            self.remove(&first);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let is_empty = self.sessions.is_empty() && self.order.is_empty();
        let is_empty = is_empty && self.of_nobody.is_empty();
        is_empty && self.owners.is_empty() && self.bytes == 0
    }
}

/// About what a session takes besides its fields, and what it takes to list it.
const SLOT_BYTES: usize = 256;
const MEMBER_BYTES: usize = 128;
