//! The application's SQLite database: opening, filling once, reading, writing.
//!
//! Blocking work runs on tokio's blocking threads with a pooled connection, so
//! that a scan of 200 000 rows never holds up a worker thread that could serve
//! a hundred cached answers in the meantime. Readers and the one writer are
//! separate: in WAL mode a reader never waits for a writer.

pub(crate) mod changes;
mod connection;
mod open;
mod queries;
mod schema;
mod triggers;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    changes::Follower,
    http::{Problem, QueryCount},
    seed::Volume,
};

pub use self::open::OpenError;
pub(crate) use self::{changes::Changes, queries::Queries};

/// A cloneable handle on the database.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    readers: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
    writer: Arc<tokio::sync::Mutex<Connection>>,
    /// Those who tell what is changed.
    followers: Mutex<Vec<Weak<Follower>>>,
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
                path: path.to_owned(),
                readers: Mutex::new(readers),
                free: Arc::new(Semaphore::new(READERS)),
                writer: Arc::new(tokio::sync::Mutex::new(writer)),
                followers: Mutex::default(),
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
    /// rolled back otherwise. When this returns, whoever follows has been told
    /// of the changes: of these, and of all that were committed before.
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
        let (value, last) = blocking(move || {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&Queries::new(&transaction, &count))?;
            let last = changes::last(&transaction)?;
            transaction.commit()?;
            Ok((value, last))
        })
        .await?;
        for follower in self.followers() {
            follower.has_told(last).await;
        }
        Ok(value)
    }

    /// A connection to watch the file with.
    pub(crate) fn watcher(&self) -> Result<Connection, OpenError> {
        let path = &self.inner.path;
        connection::reader(path).map_err(|error| OpenError::new(path, error))
    }

    /// From now on whoever writes waits for this one's telling.
    pub(crate) fn is_followed_by(&self, follower: &Arc<Follower>) {
        let mut followers = lock(&self.inner.followers);
        followers.retain(|follower| follower.strong_count() > 0);
        followers.push(Arc::downgrade(follower));
    }

    fn followers(&self) -> Vec<Arc<Follower>> {
        let followers = lock(&self.inner.followers);
        followers.iter().filter_map(Weak::upgrade).collect()
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
            connection: lock(&inner.readers).pop(),
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
        lock(&self.inner.readers).extend(self.connection.take());
    }
}

/// A push or pop cannot leave a list half done, so a poisoned lock is sound.
fn lock<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
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
