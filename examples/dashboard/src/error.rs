//! Why the program could not start or measure.

use std::{error::Error, fmt, io, net::SocketAddr};

use crate::{database::OpenError, say};

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

    pub(crate) fn listen(address: SocketAddr, error: io::Error) -> Self {
        Self::because(format!("cannot listen on {address}"), error)
    }

    /// Writes the error and its causes to standard error, in one line.
    pub fn report(&self) {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            line = format!("{line}: {error}");
            cause = error.source();
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

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        // Only one level of causes: SQLite's own says the same again in other words.
        match error.source() {
            Some(cause) => Self::because(error.to_string(), cause.to_string()),
            None => Self::new(error.to_string()),
        }
    }
}
