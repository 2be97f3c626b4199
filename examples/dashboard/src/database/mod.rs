//! The application's SQLite database: opening, filling once, reading, writing.
//!
//! Blocking work runs on tokio's blocking threads with a pooled connection, so
//! that a scan of 200 000 rows never holds up a worker thread that could serve
//! a hundred cached answers in the meantime. Readers and the one writer are
//! separate: in WAL mode a reader never waits for a writer.

mod connection;
mod open;
mod queries;
mod schema;

use std::{fmt, path::Path, sync::Arc, sync::Mutex};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{http::Problem, http::QueryCount, seed::Volume};

pub use self::open::OpenError;
pub(crate) use self::queries::Queries;

/// A cloneable handle on the database.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    readers: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
    writer: Arc<tokio::sync::Mutex<Connection>>,
}

impl Database {
    /// Opens the database at `path` and fills it with `volume` if it is new.
    ///
    /// Two processes may do this at once: one fills, the other waits for it. A
    /// process that dies while filling leaves an empty database, which the next
    /// one fills.
    ///
    /// # Errors
    ///
    /// When the path cannot be read or written, and when it holds something
    /// else: a foreign file is never touched.
    pub fn open(path: &Path, volume: &Volume) -> Result<Self, OpenError> {
        let writer = open::prepare(path, volume)?;
        let readers = (0..READERS)
            .map(|_| connection::reader(path).map_err(|error| OpenError::new(path, error)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            inner: Arc::new(Inner {
                readers: Mutex::new(readers),
                free: Arc::new(Semaphore::new(READERS)),
                writer: Arc::new(tokio::sync::Mutex::new(writer)),
            }),
        })
    }

    /// Runs `work` on a read connection, off the async threads.
    pub(crate) async fn read<T, F>(&self, count: &QueryCount, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Queries<'_>) -> Result<T, Problem> + Send + 'static,
    {
        let reader = Reader::checkout(&self.inner).await?;
        let count = count.clone();
        blocking(move || work(&Queries::new(reader.connection()?, &count))).await
    }

    /// Runs `work` in a transaction that is committed when it returns `Ok` and
    /// rolled back otherwise.
    ///
    /// The transaction takes the write lock at its start: one that began as a
    /// reader could find on its first write that it has read an old snapshot.
    pub(crate) async fn write<T, F>(&self, count: &QueryCount, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Queries<'_>) -> Result<T, Problem> + Send + 'static,
    {
        let mut writer = Arc::clone(&self.inner.writer).lock_owned().await;
        let count = count.clone();
        blocking(move || {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&Queries::new(&transaction, &count))?;
            transaction.commit()?;
            Ok(value)
        })
        .await
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

/// A read connection on loan. It goes back when this is dropped, also when the
/// work panicked.
struct Reader {
    connection: Option<Connection>,
    inner: Arc<Inner>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    async fn checkout(inner: &Arc<Inner>) -> Result<Self, Problem> {
        let permit = Arc::clone(&inner.free)
            .acquire_owned()
            .await
            .map_err(|_| Problem::internal("the database is closing"))?;
        Ok(Self {
            connection: inner.idle().pop(),
            inner: Arc::clone(inner),
            _permit: permit,
        })
    }

    fn connection(&self) -> Result<&Connection, Problem> {
        self.connection
            .as_ref()
            .ok_or_else(|| Problem::internal("no read connection is free"))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.inner.idle().extend(self.connection.take());
    }
}

impl Inner {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        // A push or pop cannot leave the list half done, so a poisoned lock is sound.
        self.readers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Runs `work` where it may block. A panic in it becomes an error of this request.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T, Problem>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Problem> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Problem::internal("the work behind this request failed")))
}

/// More readers than cores gain nothing on a file that fits the page cache, but
/// a long scan must not starve the short look-ups.
const READERS: usize = 8;
