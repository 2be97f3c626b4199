//! A session as it is stored.

use std::collections::BTreeMap;

use bytes::Bytes;

/// The fields of an application, each as JSON.
pub(crate) type Fields = BTreeMap<String, Bytes>;

/// What changes in the fields: a new value, or none any more.
pub(crate) type Changes = BTreeMap<String, Option<Bytes>>;

/// What is known of a session besides its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// When it began, and when it ends at the latest; milliseconds since 1970.
    pub(crate) created: u64,
    pub(crate) ends: u64,
    /// When its ticket was given.
    pub(crate) issued: u64,
    /// Who is logged in.
    pub(crate) user: Option<String>,
    /// How surely.
    pub(crate) level: u8,
    /// How often the user had been logged out everywhere when this began.
    pub(crate) epoch: u64,
    /// What its user's list calls it, whatever its ticket is by now; zeros where there is no list.
    pub(crate) id: [u8; 16],
    /// The session whose place it took by a rotation, and the one whose ticket led there, as long as nobody has
    /// used the new ticket.
    pub(crate) befores: Vec<[u8; 16]>,
}

/// A session as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) meta: Meta,
    pub(crate) fields: Fields,
}

/// What was found for a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing: never there, expired, or revoked.
    Nothing,
    /// The session ended just now, by a logout, a login or a rotation: whoever still comes with its ticket
    /// reads nothing, writes nothing and is given nothing. After a rotation, whoever had loaded it before is led
    /// on all the same.
    Ended(Option<[u8; 16]>),
    /// It goes on under another ticket, which its client is about to learn.
    Moved([u8; 16]),
    /// The session, and milliseconds until it ends if nobody comes.
    Session(Record, u64),
}

impl Record {
    /// Applies changes.
    pub(crate) fn change(&mut self, changes: Changes) {
        for (name, value) in changes {
            match value {
                Some(value) => self.fields.insert(name, value),
                None => self.fields.remove(&name),
            };
        }
    }
}

/// Bytes of the names and values.
pub(crate) fn size(fields: &Fields) -> usize {
    fields
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum()
}
