//! Tells the cache what the watch sees, and those who write that it has been told.

use std::{
    fmt,
    sync::{
        Arc,
        mpsc::{self, SyncSender},
    },
    thread,
    time::Duration,
};

use tokio::{
    sync::{mpsc as queue, watch},
    time::timeout,
};
use tower_keep::{Changed, Store};

use super::{cursor::Cursor, watch::Watch};
use crate::{
    cache::Caches,
    database::{Changes, Database, changes},
    error::StartError,
    say,
};

/// Follows the changes of a database for one application, until it is dropped.
pub(crate) struct Follower {
    ask: SyncSender<()>,
    told: watch::Receiver<Option<i64>>,
    /// The last change before anything was cached.
    first: i64,
}

impl Follower {
    /// Follows `database`: from now on whoever writes to it waits for the telling. Blocks for about a
    /// millisecond.
    ///
    /// # Errors
    ///
    /// The database cannot be opened once more, or the system has no thread left.
    pub(crate) fn start(
        database: &Database,
        store: &Store,
        caches: Caches,
    ) -> Result<Arc<Self>, StartError> {
        let connection = database.watcher()?;
        let failed = |error| StartError::because("the changes cannot be read", error);
        let first = changes::last(&connection).map_err(failed)?;
        let history = changes::history(&connection).map_err(failed)?;
        let (ask, asked) = mpsc::sync_channel(1);
        let (tell, told) = watch::channel(None);
        let (begin, begun) = mpsc::channel();
        let (find, found) = queue::channel(1);
        thread::Builder::new()
            .name("changes".to_owned())
            .spawn(move || {
                // Nothing comes if the runtime ended before.
                if let Ok(from) = begun.recv() {
                    Watch::new(connection, from).run(&asked, &find);
                }
            })
            .map_err(|error| StartError::because("the changes cannot be watched", error))?;
        let cursor = (!store.is_embedded()).then(|| Cursor::new(store.clone(), &history));
        let teller = Teller {
            caches,
            cursor,
            told: tell,
        };
        tokio::spawn(async move {
            // Whoever waits for it went away with the thread.
            let _ = begin.send(teller.from(first).await);
            teller.tell(found).await;
        });
        let follower = Arc::new(Self { ask, told, first });
        database.is_followed_by(&follower);
        Ok(follower)
    }

    /// Waits until everything has been told that was changed before this application started, and is not known
    /// to have been told already.
    pub(crate) async fn has_caught_up(&self) {
        self.has_told(self.first).await;
    }

    /// Waits until everything up to this change has been told.
    ///
    /// Not for ever: the change is committed, and that its telling is late is no failure of a request.
    pub(crate) async fn has_told(&self, number: i64) {
        // A question that waits already will do.
        let _ = self.ask.try_send(());
        let mut told = self.told.clone();
        let telling = told.wait_for(|told| told.is_some_and(|told| told >= number));
        if timeout(PATIENCE, telling).await.is_err() {
            say(format_args!("the telling of change {number} is late"));
        }
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = *self.told.borrow();
        f.debug_struct("Follower").field("told", &told).finish()
    }
}

/// The half that talks to the cache.
struct Teller {
    caches: Caches,
    /// None where nothing outlives the process.
    cursor: Option<Cursor>,
    told: watch::Sender<Option<i64>>,
}

impl Teller {
    /// After which change to begin: with an embedded store the present, since nothing is cached yet.
    async fn from(&self, present: i64) -> i64 {
        let Some(cursor) = &self.cursor else {
            return present;
        };
        if let Some(told) = cursor.read().await {
            return told;
        }
        let _waits = self.caches.changed(vec![Changed::missed()]).await;
        present
    }

    async fn tell(self, mut found: queue::Receiver<Changes>) {
        while let Some(changes) = found.recv().await {
            let written = self.caches.changed(changes.rows).await;
            self.told.send_replace(Some(changes.until));
            // What waits to be written was not told to all. What is written is, with all that was told before.
            if let (Ok(()), Some(cursor)) = (written, &self.cursor) {
                cursor.write(changes.until).await;
            }
        }
    }
}

/// A look and a record take a millisecond, and with a slow Redis a twentieth of a second.
const PATIENCE: Duration = Duration::from_secs(2);
