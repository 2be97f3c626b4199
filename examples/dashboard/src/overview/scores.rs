//! What reviewers said.

use serde::Serialize;

use super::row::{self, Rate, Scope, Tally};
use crate::{
    database::Queries,
    http::Problem,
    seed::{DAY, TODAY},
};

#[derive(Debug, Serialize)]
pub(super) struct Scores {
    by_kind: Vec<Rate>,
    distribution: Vec<Tally>,
    weekly: Vec<Rate>,
    best: Vec<Best>,
}

#[derive(Debug, Serialize)]
struct Best {
    id: i64,
    name: String,
    status: String,
    mean: f64,
    scores: i64,
}

pub(super) fn load(sql: &Queries<'_>, scope: Scope) -> Result<Scores, Problem> {
    Ok(Scores {
        by_kind: row::rates(sql, BY_KIND, [scope.company])?,
        distribution: row::tallies(sql, DISTRIBUTION, [scope.company])?,
        weekly: row::rates(sql, WEEKLY, [scope.company, TODAY - 56 * DAY])?,
        best: best(sql, scope)?,
    })
}

fn best(sql: &Queries<'_>, scope: Scope) -> rusqlite::Result<Vec<Best>> {
    sql.all(BEST, [scope.recruiter], |row| {
        Ok(Best {
            id: row.get(0)?,
            name: row.get(1)?,
            status: row.get(2)?,
            mean: row.get(3)?,
            scores: row.get(4)?,
        })
    })
}

const BY_KIND: &str = "
    SELECT s.kind, count(*), round(avg(s.value), 3)
    FROM scores s JOIN candidates c ON c.id = s.candidate_id
    WHERE c.company_id = ?1
    GROUP BY s.kind ORDER BY s.kind";

const DISTRIBUTION: &str = "
    SELECT printf('%d–%d %%', bucket * 10, bucket * 10 + 10), count(*)
    FROM (SELECT min(9, CAST(s.value * 10 AS INTEGER)) AS bucket
          FROM scores s JOIN candidates c ON c.id = s.candidate_id
          WHERE c.company_id = ?1)
    GROUP BY bucket ORDER BY bucket";

const WEEKLY: &str = "
    SELECT date(?2 + (s.scored_at - ?2) / 604800 * 604800, 'unixepoch') AS week,
           count(*), round(avg(s.value), 3)
    FROM scores s JOIN candidates c ON c.id = s.candidate_id
    WHERE c.company_id = ?1 AND s.scored_at >= ?2
    GROUP BY week ORDER BY week";

const BEST: &str = "
    SELECT c.id, c.name, c.status, round(avg(s.value), 3) AS mean, count(*)
    FROM candidates c JOIN scores s ON s.candidate_id = c.id
    WHERE c.recruiter_id = ?1 AND c.status NOT IN ('rejected', 'withdrawn')
    GROUP BY c.id HAVING count(*) >= 4
    ORDER BY mean DESC, c.id LIMIT 6";
