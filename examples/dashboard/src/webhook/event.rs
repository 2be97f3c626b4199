//! What the calendar service reports.

use serde::Deserialize;

use crate::{database::Queries, http::Problem};

/// A booked interview. `starts_at` is in seconds since 1970, UTC.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Booking {
    pub(super) candidate: i64,
    pub(super) interviewer: i64,
    pub(super) kind: String,
    pub(super) starts_at: i64,
    pub(super) minutes: i64,
}

impl Booking {
    /// A time, for nobody in particular yet.
    pub(super) fn new(interviewer: i64, starts_at: i64, minutes: i64) -> Self {
        Self {
            candidate: 0,
            interviewer,
            kind: String::new(),
            starts_at,
            minutes,
        }
    }

    /// A calendar service of one company books only its own candidates.
    pub(super) fn check_candidate(&self, sql: &Queries<'_>, company: i64) -> Result<(), Problem> {
        let statement = "SELECT 1 FROM candidates WHERE id = ?1 AND company_id = ?2";
        sql.first(statement, [self.candidate, company], |_| Ok(()))?
            .ok_or_else(|| Problem::unprocessable("the candidate is not one of this company"))
    }

    /// How many interviews the interviewer has on the same day.
    pub(super) fn same_day(&self, sql: &Queries<'_>) -> Result<u32, Problem> {
        let day = self.starts_at.div_euclid(86_400) * 86_400;
        let statement = "
            SELECT count(*) FROM interviews
            WHERE interviewer_id = ?1 AND starts_at >= ?2 AND starts_at < ?2 + 86400";
        Ok(sql.one(statement, [self.interviewer, day], |row| row.get(0))?)
    }

    /// Inserts and returns the new interview's id.
    pub(super) fn insert(&self, sql: &Queries<'_>) -> Result<i64, Problem> {
        sql.change(
            "INSERT INTO interviews (candidate_id, interviewer_id, kind, starts_at, minutes, outcome)
             VALUES (?1, ?2, ?3, ?4, ?5, 'planned')",
            (self.candidate, self.interviewer, &self.kind, self.starts_at, self.minutes),
        )?;
        Ok(sql.last_id())
    }
}
