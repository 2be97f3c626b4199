//! The shapes that most statements of the overview return.

use rusqlite::{Params, Row};
use serde::Serialize;

use crate::{
    database::Queries,
    seed::{TODAY, words},
};

/// Whose numbers are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    pub(super) recruiter: i64,
    pub(super) company: i64,
}

/// Something and how often.
#[derive(Debug, Serialize)]
pub(super) struct Tally {
    label: String,
    count: i64,
}

/// Something, how often, and a mean or a rate.
#[derive(Debug, Serialize)]
pub(super) struct Rate {
    label: String,
    count: i64,
    value: f64,
}

impl Rate {
    /// The same with a skill's name in the place of its number.
    pub(super) fn named(self) -> Self {
        let name = self
            .label
            .parse()
            .ok()
            .and_then(|index: usize| words::SKILLS.get(index));
        Self {
            label: name.map_or(self.label, |name| (*name).to_owned()),
            ..self
        }
    }
}

pub(super) fn tallies<P: Params>(
    sql: &Queries<'_>,
    statement: &str,
    params: P,
) -> rusqlite::Result<Vec<Tally>> {
    sql.all(statement, params, |row| {
        Ok(Tally {
            label: row.get(0)?,
            count: row.get(1)?,
        })
    })
}

pub(super) fn rates<P: Params>(
    sql: &Queries<'_>,
    statement: &str,
    params: P,
) -> rusqlite::Result<Vec<Rate>> {
    sql.all(statement, params, rate)
}

fn rate(row: &Row<'_>) -> rusqlite::Result<Rate> {
    Ok(Rate {
        label: row.get(0)?,
        count: row.get(1)?,
        value: row.get(2)?,
    })
}

/// The data set's today, as people write it.
pub(super) fn today(sql: &Queries<'_>) -> rusqlite::Result<String> {
    sql.one("SELECT date(?1, 'unixepoch')", [TODAY], |row| row.get(0))
}
