//! Where sessions are: in this process alone, or on a server that processes share.
//!
//! Every operation is one step: nobody sees the half of it.

use std::sync::Arc;

use tower_keep_store::{Key, Store, StoreError};

use crate::{embedded::Embedded, lifetimes::Lifetimes, shared::Shared};

mod at;
mod step;

pub(crate) use self::{
    at::{At, epoch, index},
    step::{Beginning, Ended, Listed, Loaded, New, Operation, Replace, Replaced, Write, Written},
};

/// The sessions of a store.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Embedded(Arc<Embedded>),
    Shared(Shared),
}

impl Place {
    pub(crate) fn of(store: &Store) -> Self {
        match store.server() {
            None => Self::Embedded(store.companion(|| Embedded::new(store))),
            Some(server) => Self::Shared(Shared::new(store, server)),
        }
    }

    /// The time by which sessions live, in milliseconds since 1970: the server's, as far as it is known.
    pub(crate) fn now_millis(&self) -> u64 {
        match self {
            Self::Embedded(embedded) => embedded.now(),
            Self::Shared(shared) => shared.servers_now(),
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

    /// The ticket of a session was used: those of the ones `befores` lead there only for their grace from now on.
    /// Nobody waits for it.
    pub(crate) fn settle(&self, at: &At, befores: &[At], lifetimes: &Lifetimes) {
        match self {
            Self::Embedded(embedded) => embedded.settle(at, befores, lifetimes),
            Self::Shared(shared) => shared.settle(at, befores, lifetimes),
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

    /// Ends all sessions of a user, or all but the one that asks. False if that one has ended itself.
    pub(crate) async fn end_all(
        &self,
        owner: &Key,
        asks: Option<&At>,
        keeps: bool,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Embedded(embedded) => Ok(embedded.end_all(owner, asks, keeps)),
            Self::Shared(shared) => shared.end_all(owner, asks, keeps).await,
        }
    }

    /// Ends the session that a user's list calls so.
    pub(crate) async fn revoke(
        &self,
        owner: &Key,
        id: [u8; 16],
        asks: Option<&At>,
    ) -> Result<Ended, StoreError> {
        match self {
            Self::Embedded(embedded) => Ok(embedded.revoke(owner, id, asks)),
            Self::Shared(shared) => shared.revoke(owner, id, asks).await,
        }
    }

    /// A user's sessions; nothing if the one that asks has ended itself.
    pub(crate) async fn list(
        &self,
        owner: &Key,
        asks: Option<&At>,
    ) -> Result<Option<Vec<Listed>>, StoreError> {
        match self {
            Self::Embedded(embedded) => Ok(embedded.list(owner, asks)),
            Self::Shared(shared) => shared.list(owner, asks).await,
        }
    }
}
