//! Sees every commit, whoever made it.
//!
//! Notifications of the file system (inotify and its like) would come without a question, but too early: the log
//! is written before its index, in shared memory, makes the commit visible, and of that no file system tells. To ask
//! is simpler, and misses nothing.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::mpsc::Sender;

use crate::{
    database::{Changes, changes},
    say,
};

/// Looks for changes until nobody wants them any more.
pub(super) struct Watch {
    connection: Connection,
    /// The last change that was told.
    told: i64,
    /// At which state of the file that was.
    seen: Option<i64>,
}

impl Watch {
    /// Watches from after the change of this number.
    pub(super) fn new(connection: Connection, told: i64) -> Self {
        Self {
            connection,
            told,
            seen: None,
        }
    }

    /// Runs on a thread of its own. `asked` makes it look at once; it ends when the other side of either channel
    /// is dropped.
    pub(super) fn run(mut self, asked: &Receiver<()>, found: &Sender<Changes>) {
        loop {
            let looked = self.look();
            if looked.is_some_and(|changes| found.blocking_send(changes).is_err()) {
                return;
            }
            if asked.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    /// What is new since the last look. The first one always brings something, and if it is only how far.
    fn look(&mut self) -> Option<Changes> {
        let found = self.changes().unwrap_or_else(|error| {
            say(format_args!("the changes cannot be read: {error}"));
            thread::sleep(AFTER_FAILURE);
            // As far as anybody can know.
            Some(Changes::missed(self.told))
        })?;
        self.told = found.until;
        Some(found)
    }

    fn changes(&mut self) -> rusqlite::Result<Option<Changes>> {
        // Before the look: what is committed during it is found by the next one.
        let version = changes::version(&self.connection)?;
        let before = self.seen.take();
        if before == Some(version) {
            self.seen = before;
            return Ok(None);
        }
        let changes = Changes::after(&self.connection, self.told)?;
        self.seen = Some(version);
        let is_news = changes.until != self.told || before.is_none();
        Ok(is_news.then_some(changes))
    }
}

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(10);

/// What cannot be read is not asked for a hundred times a second.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
