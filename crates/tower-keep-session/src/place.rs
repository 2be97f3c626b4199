//! Where sessions are: in this process alone, or on a server that processes share.
//!
//! Every operation is one step: nobody sees the half of it.

use std::sync::Arc;

use bytes::Bytes;
use tower_keep_store::{Key, Store, StoreError};

use crate::{
    embedded::Embedded,
    lifetimes::Lifetimes,
    record::{Changes, Found, Record},
    shared::Shared,
    ticket::{SESSION, Ticket},
};

/// The sessions of a store.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Embedded(Arc<Embedded>),
    Shared(Shared),
}

/// Where one session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) session: Key,
    pub(crate) digest: [u8; 16],
    pub(crate) owner: Option<Key>,
}

/// What was found of a session and of a token.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) found: Found,
    pub(crate) is_revoked: bool,
}

/// What is to be changed in a session, if it is still there. All of it or nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Write {
    pub(crate) changes: Changes,
    pub(crate) operation: Operation,
}

/// What else is done with one field.
#[derive(Clone, Debug, Default)]
pub(crate) enum Operation {
    #[default]
    None,
    /// Changes nothing unless the field is as it was.
    Expect(String, Option<Bytes>),
    /// Adds to a whole number; an absent field is 0.
    Add(String, i64),
    /// Takes the field out.
    Take(String),
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Done,
    /// The session was not there any more.
    Ended,
    /// The field was not as expected, but so.
    Conflict(Option<Bytes>),
    NotANumber,
    TooLarge,
    Sum(i64),
    Taken(Option<Bytes>),
}

/// One session in the place of another, or of none; or none in the place of one.
#[derive(Clone, Debug)]
pub(crate) struct Replace {
    /// Nothing happens unless it is still there.
    pub(crate) old: Option<At>,
    pub(crate) new: Option<New>,
    /// What changes on the way, in what the old one held.
    pub(crate) changes: Changes,
}

/// A session that begins.
#[derive(Clone, Debug)]
pub(crate) struct New {
    pub(crate) at: At,
    pub(crate) beginning: Beginning,
    /// What its user will know it by in a list.
    pub(crate) label: String,
}

/// How a session begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// For nobody yet.
    Anonymous,
    /// As the old one was: the old ticket leads to it for a while.
    Rotated,
    /// For a user. The old ticket leads nowhere.
    Login { user: String, level: u8 },
}

/// What became of a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    Done(Record),
    /// The old session was not there any more.
    Ended,
    TooMany,
    TooLarge,
}

/// One of a user's sessions, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) digest: [u8; 16],
    pub(crate) created: u64,
    pub(crate) label: String,
}

impl Listed {
    /// The oldest first.
    pub(crate) fn order(&self) -> (u64, [u8; 16]) {
        (self.created, self.digest)
    }
}

impl At {
    pub(crate) fn of(ticket: &Ticket) -> Self {
        Self {
            session: ticket.session(),
            digest: ticket.digest(),
            owner: ticket.owner(),
        }
    }

    /// The session of this digest, of this owner.
    pub(crate) fn of_owner(owner: &Key, digest: [u8; 16]) -> Self {
        Self {
            session: Key::from_digest(SESSION, digest).beside(owner),
            digest,
            owner: Some(*owner),
        }
    }

    /// The session of this digest, of the same owner.
    pub(crate) fn sibling(&self, digest: [u8; 16]) -> Self {
        match &self.owner {
            Some(owner) => Self::of_owner(owner, digest),
            None => Self {
                session: Key::from_digest(SESSION, digest),
                digest,
                owner: None,
            },
        }
    }
}

/// How often a user was logged out everywhere.
pub(crate) fn epoch(owner: &Key) -> Key {
    owner.part(0)
}

/// The sessions of a user.
pub(crate) fn index(owner: &Key) -> Key {
    owner.part(1)
}

impl Place {
    pub(crate) fn of(store: &Store) -> Self {
        match store.server() {
            None => Self::Embedded(store.companion(|| Embedded::new(store))),
            Some(server) => Self::Shared(Shared::new(store, server)),
        }
    }

    /// Looks at a session, and whether a token was revoked, in one round trip.
    pub(crate) async fn load(
        &self,
        at: Option<&At>,
        token: Option<&Key>,
    ) -> Result<Loaded, StoreError> {
        match self {
            Self::Embedded(embedded) => Ok(embedded.load(at, token)),
            Self::Shared(shared) => shared.load(at, token).await,
        }
    }

    /// Remembers for so many milliseconds that a token was revoked.
    pub(crate) async fn revoke_token(&self, token: &Key, lives: u64) -> Result<(), StoreError> {
        match self {
            Self::Embedded(embedded) => {
                embedded.revoke_token(token, lives);
                Ok(())
            }
            Self::Shared(shared) => shared.revoke_token(token, lives).await,
        }
    }

    /// Puts off the end of a session that is still there. Nobody waits for it.
    pub(crate) fn renew(&self, at: &At, lifetimes: &Lifetimes) {
        match self {
            Self::Embedded(embedded) => embedded.renew(at, lifetimes),
            Self::Shared(shared) => shared.renew(at, lifetimes),
        }
    }

    pub(crate) async fn write(
        &self,
        at: &At,
        write: Write,
        lifetimes: &Lifetimes,
    ) -> Result<Written, StoreError> {
        match self {
            Self::Embedded(embedded) => Ok(embedded.write(at, write, lifetimes)),
            Self::Shared(shared) => shared.write(at, write, lifetimes).await,
        }
    }

    pub(crate) async fn replace(
        &self,
        replace: Replace,
        lifetimes: &Lifetimes,
    ) -> Result<Replaced, StoreError> {
        match self {
            Self::Embedded(embedded) => Ok(embedded.replace(replace, lifetimes)),
            Self::Shared(shared) => shared.replace(replace, lifetimes).await,
        }
    }

    /// Ends all sessions of a user but the one at `keep`. False if that one has ended itself.
    pub(crate) async fn end_all(
        &self,
        owner: &Key,
        keep: Option<&At>,
        lifetimes: &Lifetimes,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Embedded(embedded) => Ok(embedded.end_all(owner, keep)),
            Self::Shared(shared) => shared.end_all(owner, keep, lifetimes).await,
        }
    }

    pub(crate) async fn list(&self, owner: &Key) -> Result<Vec<Listed>, StoreError> {
        match self {
            Self::Embedded(embedded) => Ok(embedded.list(owner)),
            Self::Shared(shared) => shared.list(owner).await,
        }
    }
}
