//! Opening: recognise the file, fill it if it is new, refuse it if it is foreign.

use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, TransactionBehavior};

use super::{connection, schema, triggers};
use crate::seed::{self, Volume};

/// Why a database could not be opened.
#[derive(Debug)]
pub struct OpenError {
    path: PathBuf,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Sql(rusqlite::Error),
    Foreign,
    ReadOnly,
    Version(i32),
}

impl OpenError {
    pub(super) fn new(path: &Path, cause: rusqlite::Error) -> Self {
        Self {
            path: path.to_owned(),
            cause: Cause::Sql(cause),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.cause {
            Cause::Sql(_) => write!(f, "cannot open the database {path}"),
            Cause::Foreign => write!(
                f,
                "{path} is a database of another program; it is left alone"
            ),
            Cause::ReadOnly => write!(f, "the database {path} cannot be written"),
            Cause::Version(found) => write!(
                f,
                "the database {path} has version {found}, this program needs {}; \
                 delete it or give another --database",
                schema::VERSION
            ),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Cause::Sql(error) => Some(error),
            Cause::Foreign | Cause::ReadOnly | Cause::Version(_) => None,
        }
    }
}

/// Opens `path` for writing, filled and ready for service.
pub(super) fn prepare(path: &Path, volume: &Volume) -> Result<Connection, OpenError> {
    let wrap = |cause| OpenError {
        path: path.to_owned(),
        cause,
    };
    let mut connection = connection::writer(path).map_err(|e| wrap(Cause::Sql(e)))?;
    if state(&connection).map_err(wrap)? == State::Empty {
        fill(&mut connection, volume).map_err(wrap)?;
    }
    // SQLite opens a protected file for reading only, without a word.
    if connection
        .is_readonly("main")
        .map_err(|e| wrap(Cause::Sql(e)))?
    {
        return Err(wrap(Cause::ReadOnly));
    }
    connection::settle(&connection).map_err(|e| wrap(Cause::Sql(e)))?;
    Ok(connection)
}

/// Creates and fills the tables in one exclusive transaction, unless another
/// process did so while this one waited for the lock.
///
/// The version is written by the same transaction, so there is no half-filled
/// state to recognise: a crash leaves an empty file.
fn fill(connection: &mut Connection, volume: &Volume) -> Result<(), Cause> {
    connection::keep_log(connection)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    if state(&transaction)? == State::Filled {
        return Ok(());
    }
    transaction.execute_batch(schema::TABLES)?;
    seed::fill(&transaction, volume)?;
    transaction.execute_batch(&triggers::all())?;
    transaction.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", schema::VERSION)?;
    transaction.commit()?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Moves the rows out of the log: readers would otherwise search it for years.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Empty,
    Filled,
}

fn state(connection: &Connection) -> Result<State, Cause> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i32>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_master")?;
    match (application, version, tables) {
        (schema::APPLICATION_ID, schema::VERSION, _) => Ok(State::Filled),
        (schema::APPLICATION_ID, other, _) => Err(Cause::Version(other)),
        (0, 0, 0) => Ok(State::Empty),
        _ => Err(Cause::Foreign),
    }
}

impl From<rusqlite::Error> for Cause {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}
