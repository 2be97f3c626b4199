//! Where the candidates stand.

use serde::Serialize;

use super::row::{self, Rate, Scope, Tally};
use crate::{database::Queries, http::Problem, seed::TODAY};

#[derive(Debug, Serialize)]
pub(super) struct Pipeline {
    mine: Vec<Tally>,
    company: Vec<Tally>,
    days_in_stage: Vec<Rate>,
    waiting: Vec<Waiting>,
    jobs: Vec<Rate>,
    team: Vec<Rate>,
}

#[derive(Debug, Serialize)]
struct Waiting {
    id: i64,
    name: String,
    status: String,
    days: i64,
}

pub(super) fn load(sql: &Queries<'_>, scope: Scope) -> Result<Pipeline, Problem> {
    Ok(Pipeline {
        mine: row::tallies(sql, MINE, [scope.recruiter])?,
        company: row::tallies(sql, COMPANY, [scope.company])?,
        days_in_stage: row::rates(sql, DAYS_IN_STAGE, [scope.company, TODAY])?,
        waiting: waiting(sql, scope)?,
        jobs: row::rates(sql, JOBS, [scope.company])?,
        team: row::rates(sql, TEAM, [scope.company])?,
    })
}

fn waiting(sql: &Queries<'_>, scope: Scope) -> rusqlite::Result<Vec<Waiting>> {
    sql.all(WAITING, [scope.recruiter, TODAY], |row| {
        Ok(Waiting {
            id: row.get(0)?,
            name: row.get(1)?,
            status: row.get(2)?,
            days: row.get(3)?,
        })
    })
}

const MINE: &str = "
    SELECT status, count(*) FROM candidates
    WHERE recruiter_id = ?1
    GROUP BY status ORDER BY count(*) DESC, status";

const COMPANY: &str = "
    SELECT status, count(*) FROM candidates
    WHERE company_id = ?1
    GROUP BY status ORDER BY count(*) DESC, status";

const DAYS_IN_STAGE: &str = "
    SELECT status, count(*), round(avg(max(0, ?2 - status_changed_at)) / 86400.0, 1)
    FROM candidates
    WHERE company_id = ?1 AND status NOT IN ('hired', 'rejected', 'withdrawn')
    GROUP BY status ORDER BY status";

const WAITING: &str = "
    SELECT id, name, status, (?2 - status_changed_at) / 86400 AS days FROM candidates
    WHERE recruiter_id = ?1 AND status IN ('applied', 'screening', 'interview', 'offer')
    ORDER BY days DESC, id LIMIT 6";

/// Open jobs by demand, with the mean score of those who applied.
const JOBS: &str = "
    SELECT j.title || ', ' || j.location, count(DISTINCT c.id), round(avg(s.value), 3)
    FROM jobs j
    JOIN candidates c ON c.job_id = j.id
    JOIN scores s ON s.candidate_id = c.id
    WHERE j.company_id = ?1 AND j.open
    GROUP BY j.id ORDER BY 2 DESC, 3 DESC, j.id LIMIT 6";

/// Colleagues by hires, with the rate of hires among decided candidates.
const TEAM: &str = "
    SELECT r.name, sum(c.status = 'hired'),
           round(avg(CASE WHEN c.status IN ('hired', 'rejected', 'withdrawn')
                     THEN c.status = 'hired' END), 3)
    FROM recruiters r JOIN candidates c ON c.recruiter_id = r.id
    WHERE r.company_id = ?1
    GROUP BY r.id ORDER BY 2 DESC, r.id";
