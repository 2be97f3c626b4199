//! What the triggers wrote down.

use rusqlite::{Connection, OptionalExtension, Row};
use tower_keep::Changed;

/// All that was changed after one number and up to another.
#[derive(Debug)]
pub(crate) struct Changes {
    /// The number of the last one.
    pub(crate) until: i64,
    pub(crate) rows: Vec<Changed>,
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
        Ok(if is_all {
            Self { until, rows }
        } else {
            Self::missed(until)
        })
    }

    /// Nobody can say what was changed, or it was too much.
    pub(crate) fn missed(until: i64) -> Self {
        let rows = vec![Changed::missed()];
        Self { until, rows }
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

fn load(connection: &Connection, after: i64) -> rusqlite::Result<Vec<Changed>> {
    connection
        .prepare_cached(ROWS)?
        .query_map([after], changed)?
        .collect()
}

fn changed(row: &Row<'_>) -> rusqlite::Result<Changed> {
    let mut changed = Changed::new(row.get::<_, String>(0)?, row.get::<_, i64>(1)?);
    for owner in ["company", "recruiter"] {
        if let Some(id) = row.get::<_, Option<i64>>(owner)? {
            changed = changed.value(owner, id);
        }
    }
    Ok(changed)
}

const ROWS: &str =
    "SELECT kind, id, company, recruiter FROM changes WHERE number > ?1 ORDER BY number";

/// What is told one by one; more is too much to be worth it.
const MOST: i64 = 1_000;
