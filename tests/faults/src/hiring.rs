use std::path::{Path, PathBuf};

use dashboard::{Database, Volume};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

/// A hiring platform's database file, filled on a small scale, and the truth that it holds.
#[derive(Debug)]
pub struct Hiring {
    directory: TempDir,
}

impl Hiring {
    /// Makes one of its own, gone on drop.
    ///
    /// # Panics
    ///
    /// If there is no place for it.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let hiring = Self { directory };
        drop(hiring.open());
        hiring
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("hiring.db")
    }

    /// The file as the application sees it.
    pub(crate) fn open(&self) -> Database {
        Database::open(&self.path(), &Volume::small()).expect("a small database")
    }

    /// The status that a candidate has, past the application and its caches.
    ///
    /// # Panics
    ///
    /// If there is no such candidate.
    #[must_use]
    pub fn status_of(&self, candidate: i64) -> String {
        let query = "SELECT status FROM candidates WHERE id = ?1";
        reader(&self.path())
            .query_row(query, [candidate], |row| row.get(0))
            .expect("a candidate")
    }
}

impl Default for Hiring {
    fn default() -> Self {
        Self::new()
    }
}

fn reader(path: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).expect("the database can be read")
}
