//! Which jobs a visitor wants to see.

use rusqlite::ToSql;
use serde::Deserialize;

use crate::{http::Problem, seed::words};

/// The query parameters of the catalog.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    pub(super) location: Option<String>,
    pub(super) seniority: Option<String>,
    pub(super) skill: Option<String>,
    pub(super) remote: Option<bool>,
    pub(super) salary_from: Option<i64>,
    pub(super) q: Option<String>,
    pub(super) page: Option<u32>,
}

/// The same, known to be sound and in the database's terms.
#[derive(Clone, Debug)]
pub(super) struct JobFilter {
    location: Option<String>,
    seniority: Option<String>,
    skill: Option<usize>,
    remote: Option<bool>,
    salary_from: Option<i64>,
    text: Option<String>,
}

/// One of the questions that a facet answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Facet {
    Location,
    Seniority,
    Skill,
    Remote,
    Salary,
}

impl JobFilter {
    /// Refuses a value that no job can have: it is more likely a mistake in the
    /// address than a wish for an empty page.
    pub(super) fn new(wanted: Wanted) -> Result<Self, Problem> {
        Ok(Self {
            location: known(
                "location",
                wanted.location,
                words::LOCATIONS.iter().copied(),
            )?,
            seniority: known(
                "seniority",
                wanted.seniority,
                words::SENIORITIES.iter().map(|(name, _)| *name),
            )?,
            skill: known("skill", wanted.skill, words::SKILLS.iter().copied())?
                .and_then(|skill| words::SKILLS.iter().position(|name| *name == skill)),
            remote: wanted.remote,
            salary_from: wanted.salary_from,
            text: wanted.q.filter(|text| !text.trim().is_empty()),
        })
    }

    /// The same filter without the answer to `facet`: a facet counts what its
    /// other values would give.
    pub(super) fn without(&self, facet: Facet) -> Self {
        let mut filter = self.clone();
        match facet {
            Facet::Location => filter.location = None,
            Facet::Seniority => filter.seniority = None,
            Facet::Skill => filter.skill = None,
            Facet::Remote => filter.remote = None,
            Facet::Salary => filter.salary_from = None,
        }
        filter
    }

    /// The parameters of [`WHERE`], in its order.
    pub(super) fn params(&self) -> [&dyn ToSql; 6] {
        [
            &self.location,
            &self.seniority,
            &self.skill,
            &self.remote,
            &self.salary_from,
            &self.text,
        ]
    }
}

fn known<'a>(
    name: &str,
    value: Option<String>,
    mut allowed: impl Iterator<Item = &'a str>,
) -> Result<Option<String>, Problem> {
    match value.filter(|value| !value.is_empty()) {
        Some(value) if allowed.all(|known| known != value) => {
            Err(Problem::bad_request(format!("no job has this {name}")))
        }
        value => Ok(value),
    }
}

/// The condition on a row `j` of jobs.
pub(super) const WHERE: &str = "
    j.open
    AND (?1 IS NULL OR j.location = ?1)
    AND (?2 IS NULL OR j.seniority = ?2)
    AND (?3 IS NULL OR EXISTS (
        SELECT 1 FROM job_skills f WHERE f.job_id = j.id AND f.skill = ?3))
    AND (?4 IS NULL OR j.remote = ?4)
    AND (?5 IS NULL OR j.salary_max >= ?5)
    AND (?6 IS NULL OR instr(lower(j.title || ' ' || j.description), lower(?6)) > 0)";
