//! Options that do not go together.

use std::{error::Error, fmt};

/// Options of a layer or a policy that make no sense; the message names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    message: String,
}

impl ConfigError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }

    /// The same, and whose option it is.
    pub(crate) fn of(self, policy: &str) -> Self {
        Self::new(format!("policy {policy:?}: {}", self.message))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ConfigError {}
