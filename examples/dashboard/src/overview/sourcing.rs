//! Where candidates come from, and which sources are worth their price.

use serde::Serialize;

use super::row::{self, Rate, Scope, Tally};
use crate::{database::Queries, http::Problem};

#[derive(Debug, Serialize)]
pub(super) struct Sourcing {
    sources: Vec<Rate>,
    locations: Vec<Tally>,
    skills: Vec<Rate>,
}

pub(super) fn load(sql: &Queries<'_>, scope: Scope) -> Result<Sourcing, Problem> {
    Ok(Sourcing {
        sources: row::rates(sql, SOURCES, [scope.company])?,
        locations: row::tallies(sql, LOCATIONS, [scope.company])?,
        skills: skills(sql, scope)?,
    })
}

/// The skills of the company's applicants with their mean score. The database
/// knows skills by number only.
fn skills(sql: &Queries<'_>, scope: Scope) -> rusqlite::Result<Vec<Rate>> {
    row::rates(sql, SKILLS, [scope.company])
        .map(|rates| rates.into_iter().map(Rate::named).collect())
}

/// Sources by applicants, with the mean score of their candidates.
const SOURCES: &str = "
    SELECT c.source, count(DISTINCT c.id), round(avg(s.value), 3)
    FROM candidates c JOIN scores s ON s.candidate_id = c.id
    WHERE c.company_id = ?1
    GROUP BY c.source ORDER BY 2 DESC, c.source";

const LOCATIONS: &str = "
    SELECT location, count(*) FROM candidates
    WHERE company_id = ?1
    GROUP BY location ORDER BY count(*) DESC, location LIMIT 8";

const SKILLS: &str = "
    SELECT CAST(k.skill AS TEXT), count(DISTINCT c.id), round(avg(s.value), 3)
    FROM candidates c
    JOIN candidate_skills k ON k.candidate_id = c.id
    JOIN scores s ON s.candidate_id = c.id
    WHERE c.company_id = ?1
    GROUP BY k.skill ORDER BY 2 DESC, k.skill LIMIT 8";
