use std::{error::Error, fmt};

/// How an [`Origin`](crate::Origin) fails.
///
/// Neither `Clone` nor `PartialEq`, and recognised by its number, so that a layer can only hand on
/// the very error that it got.
#[derive(Debug)]
pub struct OriginError {
    number: u64,
}

impl OriginError {
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

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scripted origin error {}", self.number)
    }
}

impl Error for OriginError {}
