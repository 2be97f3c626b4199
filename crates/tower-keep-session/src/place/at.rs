//! Where things are.

use tower_keep_store::Key;

use crate::ticket::{SESSION, Ticket};

/// Where one session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) session: Key,
    pub(crate) digest: [u8; 16],
    pub(crate) owner: Option<Key>,
}

impl At {
    pub(crate) fn of(ticket: &Ticket) -> Self {
        Self::new(ticket.owner(), ticket.digest())
    }

    fn new(owner: Option<Key>, digest: [u8; 16]) -> Self {
        let session = Key::from_digest(SESSION, digest);
        Self {
            session: owner.map_or(session, |owner| session.beside(&owner)),
            digest,
            owner,
        }
    }

    /// The session of this digest, of this owner.
    pub(crate) fn of_owner(owner: &Key, digest: [u8; 16]) -> Self {
        Self::new(Some(*owner), digest)
    }

    /// The session of this digest, of the same owner.
    pub(crate) fn sibling(&self, digest: [u8; 16]) -> Self {
        Self::new(self.owner, digest)
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
