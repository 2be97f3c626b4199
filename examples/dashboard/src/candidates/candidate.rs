//! One candidate with what hangs on them.

use serde::{Deserialize, Serialize};

use super::status::Status;
use crate::{database::Queries, http::Problem, seed::words};

/// The value that is cached, and the answer of the endpoint.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Candidate {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) email: String,
    pub(crate) location: String,
    pub(crate) seniority: String,
    pub(crate) source: String,
    pub(crate) experience_years: i64,
    pub(crate) expected_salary: i64,
    pub(crate) applied_on: String,
    pub(crate) company_id: i64,
    pub(crate) company: String,
    pub(crate) recruiter_id: i64,
    pub(crate) recruiter: String,
    pub(crate) job: String,
    pub(crate) skills: Vec<String>,
}

impl Candidate {
    /// Loads with two statements.
    pub(crate) fn load(sql: &Queries<'_>, id: i64) -> Result<Self, Problem> {
        let mut candidate = sql
            .first(ROW, [id], Self::from_row)?
            .ok_or_else(|| nobody(id))?;
        let skills = sql.all(SKILLS, [id], |row| row.get::<_, usize>(0))?;
        let names = skills
            .into_iter()
            .filter_map(|skill| words::SKILLS.get(skill));
        candidate.skills = names.map(|name| (*name).to_owned()).collect();
        Ok(candidate)
    }

    /// Changes the status.
    pub(super) fn change(sql: &Queries<'_>, id: i64, status: Status) -> Result<(), Problem> {
        match sql.change(CHANGE, (id, status))? {
            0 => Err(nobody(id)),
            _ => Ok(()),
        }
    }

    fn from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            status: row.get("status")?,
            email: row.get("email")?,
            location: row.get("location")?,
            seniority: row.get("seniority")?,
            source: row.get("source")?,
            experience_years: row.get("experience_years")?,
            expected_salary: row.get("expected_salary")?,
            applied_on: row.get("applied_on")?,
            company_id: row.get("company_id")?,
            company: row.get("company")?,
            recruiter_id: row.get("recruiter_id")?,
            recruiter: row.get("recruiter")?,
            job: row.get("job")?,
            skills: Vec::new(),
        })
    }
}

fn nobody(id: i64) -> Problem {
    Problem::not_found(format!("there is no candidate {id}"))
}

const ROW: &str = "
    SELECT c.id, c.name, c.status, c.email, c.location, c.seniority, c.source,
           c.experience_years, c.expected_salary,
           date(c.applied_at, 'unixepoch') AS applied_on,
           c.company_id, o.name AS company, c.recruiter_id, r.name AS recruiter, j.title AS job
    FROM candidates c
    JOIN companies o ON o.id = c.company_id
    JOIN recruiters r ON r.id = c.recruiter_id
    JOIN jobs j ON j.id = c.job_id
    WHERE c.id = ?1";

const SKILLS: &str = "SELECT skill FROM candidate_skills WHERE candidate_id = ?1 ORDER BY skill";

const CHANGE: &str =
    "UPDATE candidates SET status = ?2, status_changed_at = unixepoch() WHERE id = ?1";
