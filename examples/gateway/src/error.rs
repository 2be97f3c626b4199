//! Why the gateway could not start.

use std::{error::Error, fmt};

use tower_keep::ConfigError;

use crate::{causes::causes, say};

/// One line for the operator, with its causes.
#[derive(Debug)]
pub struct StartError {
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StartError {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }

    pub(crate) fn because(
        what: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            what: what.into(),
            source: Some(source.into()),
        }
    }

    /// What a layer says of its options says enough.
    pub(crate) fn from_config(error: &ConfigError) -> Self {
        Self::new(error.to_string())
    }

    /// Writes the error and its causes to standard error, in one line.
    pub fn report(&self) {
        let mut line = self.to_string();
        for cause in causes(self).skip(1) {
            line = format!("{line}: {cause}");
        }
        say(format_args!("error: {}", line.replace('\n', " ")));
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
