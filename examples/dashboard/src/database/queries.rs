//! The one door to SQL.

use rusqlite::{Connection, OptionalExtension, Params, Row};

use crate::http::QueryCount;

/// Runs statements and counts each of them for the request it works for.
///
/// Nothing else in the application touches a connection, so the number that a
/// response reports is the number of statements it cost. The frame of a
/// transaction (`BEGIN`, `COMMIT`) is not counted.
pub(crate) struct Queries<'a> {
    connection: &'a Connection,
    count: &'a QueryCount,
}

impl<'a> Queries<'a> {
    pub(super) fn new(connection: &'a Connection, count: &'a QueryCount) -> Self {
        Self { connection, count }
    }

    /// Every row.
    pub(crate) fn all<T, P: Params>(
        &self,
        sql: &str,
        params: P,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.count.add_one();
        self.connection
            .prepare_cached(sql)?
            .query_map(params, row)?
            .collect()
    }

    /// The first row, if there is one.
    pub(crate) fn first<T, P: Params>(
        &self,
        sql: &str,
        params: P,
        row: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.count.add_one();
        self.connection
            .prepare_cached(sql)?
            .query_row(params, row)
            .optional()
    }

    /// The one row of an aggregate.
    pub(crate) fn one<T, P: Params>(
        &self,
        sql: &str,
        params: P,
        row: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.count.add_one();
        self.connection.prepare_cached(sql)?.query_row(params, row)
    }

    /// Inserts or updates; returns how many rows changed.
    pub(crate) fn change<P: Params>(&self, sql: &str, params: P) -> rusqlite::Result<usize> {
        self.count.add_one();
        self.connection.prepare_cached(sql)?.execute(params)
    }

    /// The key of the row inserted last.
    pub(crate) fn last_id(&self) -> i64 {
        self.connection.last_insert_rowid()
    }
}
