use std::{error::Error, fmt};

/// How a [`ScriptedBody`](crate::ScriptedBody) breaks.
///
/// A type of its own that can be neither cloned nor compared: a layer that keeps it, copies it or
/// turns it into another type does not compile or is found out by its number.
#[derive(Debug)]
pub struct BodyError {
    number: u64,
}

impl BodyError {
    /// An error that is recognised by its number.
    #[must_use]
    pub fn numbered(number: u64) -> Self {
        Self { number }
    }

    /// The number that it was made with.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scripted body error {}", self.number)
    }
}

impl Error for BodyError {}
