//! What a step is told, and what becomes of it.

use bytes::Bytes;

use super::At;
use crate::record::{Changes, Found, Record};

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
    /// The one whose ticket led to the old one. A rotation has it lead to the new one at once.
    pub(crate) came: Option<At>,
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

impl Beginning {
    /// Whether it is for another user than the one who was there before.
    pub(crate) fn is_of_another(&self, before: Option<&str>) -> bool {
        match (self, before) {
            (Self::Login { user, .. }, Some(before)) => user != before,
            _ => false,
        }
    }
}

/// What became of a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// The new session, and those that gave way to it.
    Done(Record, Vec<[u8; 16]>),
    /// The old session was not there any more.
    Ended,
    TooMany,
    TooLarge,
}

/// One of a user's sessions, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its name, which no rotation changes.
    pub(crate) id: [u8; 16],
    pub(crate) digest: [u8; 16],
    pub(crate) created: u64,
    pub(crate) label: String,
}

impl Listed {
    /// The oldest first.
    pub(crate) fn order(&self) -> (u64, [u8; 16]) {
        (self.created, self.id)
    }
}

/// What became of one of a user's sessions that was to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The session of this digest ended.
    Now([u8; 16]),
    /// It had ended before.
    Before,
    /// The one that asks has ended itself: nothing was done.
    Refused,
}
