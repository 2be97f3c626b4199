//! How a connection is set up.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

/// Opens a connection that may write, creating the file if there is none.
pub(super) fn writer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WHILE_FILLING)?;
    Ok(connection)
}

/// Lets the database keep a log, for readers to go on while somebody writes.
///
/// Where two processes switch at once, SQLite tells one of them that the file is locked, and does not wait as it
/// was told to: it might wait for itself.
pub(super) fn keep_log(connection: &Connection) -> rusqlite::Result<()> {
    let until = Instant::now() + BUSY_WHILE_FILLING;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if is_busy(&error) && Instant::now() < until => thread::sleep(PAUSE),
            done => return done,
        }
    }
}

/// Gives a filled database its settings for service.
pub(super) fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    tune(connection)
}

/// Opens a connection that only reads.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    tune(&connection)?;
    Ok(connection)
}

fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "cache_size", -16_384)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a statement waits for another process's write.
const BUSY: Duration = Duration::from_secs(5);

/// How long a start waits for another process that is filling the database.
const BUSY_WHILE_FILLING: Duration = Duration::from_secs(120);
