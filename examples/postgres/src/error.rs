//! Why the database does not answer.

use std::{error::Error, fmt};

use tokio::time::error::Elapsed;

/// The database does not answer.
#[derive(Debug)]
pub(crate) enum FeedError {
    Postgres(tokio_postgres::Error),
    Late,
    Closed,
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres(_) => "PostgreSQL refuses",
            Self::Late => "PostgreSQL does not answer in time",
            Self::Closed => "PostgreSQL has closed the connection",
        })
    }
}

impl Error for FeedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Postgres(error) => Some(error),
            Self::Late | Self::Closed => None,
        }
    }
}

impl From<tokio_postgres::Error> for FeedError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<Elapsed> for FeedError {
    fn from(_: Elapsed) -> Self {
        Self::Late
    }
}
