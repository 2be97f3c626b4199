//! What is planned, and how past interviews went.

use serde::Serialize;

use super::row::{self, Rate, Scope, Tally};
use crate::{
    database::Queries,
    http::Problem,
    seed::{DAY, TODAY},
};

#[derive(Debug, Serialize)]
pub(super) struct Interviews {
    upcoming: Vec<Upcoming>,
    weekly: Vec<Tally>,
    outcomes: Vec<Rate>,
    interviewers: Vec<Rate>,
}

#[derive(Debug, Serialize)]
struct Upcoming {
    id: i64,
    candidate: String,
    interviewer: String,
    kind: String,
    starts_at: String,
    minutes: i64,
}

pub(super) fn load(sql: &Queries<'_>, scope: Scope) -> Result<Interviews, Problem> {
    Ok(Interviews {
        upcoming: upcoming(sql, scope)?,
        weekly: row::tallies(sql, WEEKLY, [scope.company, TODAY - 56 * DAY, TODAY])?,
        outcomes: row::rates(sql, OUTCOMES, [scope.company, TODAY])?,
        interviewers: row::rates(sql, INTERVIEWERS, [scope.company, TODAY, TODAY + 14 * DAY])?,
    })
}

fn upcoming(sql: &Queries<'_>, scope: Scope) -> rusqlite::Result<Vec<Upcoming>> {
    sql.all(
        UPCOMING,
        [scope.recruiter, TODAY, TODAY + 14 * DAY],
        |row| {
            Ok(Upcoming {
                id: row.get(0)?,
                candidate: row.get(1)?,
                interviewer: row.get(2)?,
                kind: row.get(3)?,
                starts_at: row.get(4)?,
                minutes: row.get(5)?,
            })
        },
    )
}

const UPCOMING: &str = "
    SELECT i.id, c.name, p.name, i.kind,
           strftime('%Y-%m-%d %H:%M', i.starts_at, 'unixepoch'), i.minutes
    FROM interviews i
    JOIN candidates c ON c.id = i.candidate_id
    JOIN interviewers p ON p.id = i.interviewer_id
    WHERE c.recruiter_id = ?1 AND i.starts_at >= ?2 AND i.starts_at < ?3
    ORDER BY i.starts_at, i.id LIMIT 8";

const WEEKLY: &str = "
    SELECT date(?2 + (i.starts_at - ?2) / 604800 * 604800, 'unixepoch') AS week, count(*)
    FROM interviews i JOIN candidates c ON c.id = i.candidate_id
    WHERE c.company_id = ?1 AND i.starts_at >= ?2 AND i.starts_at < ?3
    GROUP BY week ORDER BY week";

const OUTCOMES: &str = "
    SELECT i.outcome, count(*), round(avg(i.minutes), 1)
    FROM interviews i JOIN candidates c ON c.id = i.candidate_id
    WHERE c.company_id = ?1 AND i.starts_at < ?2
    GROUP BY i.outcome ORDER BY count(*) DESC, i.outcome";

/// Who carries the load of the next two weeks, in interviews and hours.
const INTERVIEWERS: &str = "
    SELECT p.name, count(*), round(sum(i.minutes) / 60.0, 1)
    FROM interviews i
    JOIN interviewers p ON p.id = i.interviewer_id
    JOIN candidates c ON c.id = i.candidate_id
    WHERE c.company_id = ?1 AND i.starts_at >= ?2 AND i.starts_at < ?3
    GROUP BY p.id ORDER BY 3 DESC, p.id LIMIT 6";
