//! What can go wrong between a layer and its store.

use std::{error::Error, fmt, sync::Arc};

/// A store step that did not succeed. Layers meet it with their stated policy; it never becomes a
/// failed request by itself.
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: Kind,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Timeout,
    Unavailable,
    Rejected,
    Malformed,
}

impl StoreError {
    /// The deadline passed while the command was under way. A write may or may not have happened,
    /// and may still happen.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout
    }

    /// No connection could be had, it broke, or the circuit breaker is open.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.kind == Kind::Unavailable
    }

    /// The server answered, and its answer was a refusal (wrong type, out of memory, no permission); or a
    /// bound of this library is reached.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.kind == Kind::Rejected
    }

    pub(crate) fn refused() -> Self {
        Self::of(Kind::Rejected)
    }

    pub(crate) fn timeout() -> Self {
        Self::of(Kind::Timeout)
    }

    /// An error that says that the store cannot be reached, for layers that know it without asking.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::of(Kind::Unavailable)
    }

    /// An error that says that the answer was not one, for layers that read it.
    #[must_use]
    pub fn malformed() -> Self {
        Self::of(Kind::Malformed)
    }

    fn of(kind: Kind) -> Self {
        Self { kind, source: None }
    }
}

impl From<redis::RedisError> for StoreError {
    fn from(error: redis::RedisError) -> Self {
        let kind = match error.kind() {
            _ if error.is_timeout() => Kind::Timeout,
            _ if error.is_unrecoverable_error() || error.is_io_error() => Kind::Unavailable,
            redis::ErrorKind::Server(
                redis::ServerErrorKind::BusyLoading
                | redis::ServerErrorKind::ReadOnly
                | redis::ServerErrorKind::MasterDown
                | redis::ServerErrorKind::ClusterDown
                | redis::ServerErrorKind::TryAgain,
            ) => Kind::Unavailable,
            redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType => Kind::Malformed,
            _ => Kind::Rejected,
        };
        Self {
            kind,
            source: Some(Arc::new(error)),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Timeout => "the store did not answer within the deadline",
            Kind::Unavailable => "the store cannot be reached",
            Kind::Rejected => "the store refused the command",
            Kind::Malformed => "the store answered with something unexpected",
        })
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

/// A store that cannot be set up as asked. Found at start-up; says what to change, and never repeats
/// the URL, which may hold a password.
#[derive(Debug)]
pub struct ConnectError {
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ConnectError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    pub(crate) fn caused(message: &str, source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            message: message.to_owned(),
            source: Some(Box::new(source)),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

/// Options of a layer that do not go together, found when it is built. The message names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    message: String,
}

impl ConfigError {
    /// The error that says this.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ConfigError {}
