//! What the triggers wrote down.

use rusqlite::{Connection, OptionalExtension};

/// A row that is not what it was, or another row of which it can be told.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Change {
    pub(crate) kind: String,
    pub(crate) id: i64,
    /// Whose it is or was, where pages of theirs show it.
    pub(crate) company: Option<i64>,
    pub(crate) recruiter: Option<i64>,
}

/// All changes after one number and up to another.
#[derive(Debug)]
pub(crate) struct Changes {
    /// The last one's.
    pub(crate) until: i64,
    /// None if that cannot be said, or are too many.
    pub(crate) rows: Option<Vec<Change>>,
}

impl Changes {
    /// Those after `number`, and nothing that is committed while this runs.
    pub(crate) fn after(connection: &Connection, number: i64) -> rusqlite::Result<Self> {
        let snapshot = connection.unchecked_transaction()?;
        let until = last(&snapshot)?;
        let count = until.saturating_sub(number);
        let rows = match count {
            0..=MOST => load(&snapshot, number)?,
            _ => Vec::new(),
        };
        let is_all = i64::try_from(rows.len()) == Ok(count);
        Ok(Self {
            until,
            rows: is_all.then_some(rows),
        })
    }
}

/// The number of the last change; 0 before the first.
pub(crate) fn last(connection: &Connection) -> rusqlite::Result<i64> {
    let found = connection
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'changes'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}

/// Which database this is: another one under the same name has another history.
pub(crate) fn history(connection: &Connection) -> rusqlite::Result<Vec<u8>> {
    connection.query_row("SELECT id FROM history", [], |row| row.get(0))
}

/// Differs from what it was if somebody else has committed something since.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
}

fn load(connection: &Connection, after: i64) -> rusqlite::Result<Vec<Change>> {
    connection
        .prepare_cached(ROWS)?
        .query_map([after], |row| {
            Ok(Change {
                kind: row.get(0)?,
                id: row.get(1)?,
                company: row.get(2)?,
                recruiter: row.get(3)?,
            })
        })?
        .collect()
}

const ROWS: &str =
    "SELECT kind, id, company, recruiter FROM changes WHERE number > ?1 ORDER BY number";

/// What is told one by one; more is too much to be worth it.
const MOST: i64 = 1_000;
