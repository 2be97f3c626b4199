//! The demonstration's accounts.

use rusqlite::{Connection, Error, params};

use crate::accounts;

/// Recruiter, email address and password. They are shown on the page.
pub(crate) const DEMO: [(i64, &str, &str); 2] = [
    (1, "demo@example.com", "demo"),
    (6, "second@example.com", "second"),
];

pub(super) fn fill(connection: &Connection) -> rusqlite::Result<()> {
    let mut insert = connection
        .prepare("INSERT INTO accounts (recruiter_id, email, password_hash) VALUES (?1, ?2, ?3)")?;
    for (recruiter, email, password) in DEMO {
        let hash = accounts::hash(password);
        let hash = hash.map_err(|error| Error::ToSqlConversionFailure(error.into()))?;
        insert.execute(params![recruiter, email, hash])?;
    }
    Ok(())
}
