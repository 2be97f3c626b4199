//! `GET /api/candidates`: a page of the list.

use axum::{Extension, Json, extract::State, response::IntoResponse};
use serde::{Deserialize, Serialize};

use super::status::Status;
use crate::{
    app::AppState,
    cache,
    database::Queries,
    http::{Filter, Problem, QueryCount},
};

#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    status: Option<Status>,
    recruiter: Option<i64>,
    #[serde(default = "first_page")]
    page: u32,
    #[serde(default = "usual_length")]
    per_page: u32,
}

#[derive(Debug, Serialize)]
struct Page {
    total: i64,
    page: u32,
    per_page: u32,
    candidates: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    id: i64,
    name: String,
    status: Status,
    job: String,
    mean_score: Option<f64>,
}

pub(crate) async fn list(
    State(app): State<AppState>,
    count: QueryCount,
    Filter(wanted): Filter<Wanted>,
) -> Result<impl IntoResponse, Problem> {
    if wanted.page == 0 || !(1..=MOST).contains(&wanted.per_page) {
        return Err(Problem::bad_request(format!(
            "page counts from 1, per_page is 1 to {MOST}"
        )));
    }
    let page = app
        .database
        .read(&count, move |sql| load(sql, &wanted))
        .await?;
    Ok((Extension(cache::candidate_list()), Json(page)))
}

fn load(sql: &Queries<'_>, wanted: &Wanted) -> Result<Page, Problem> {
    let total = sql.one(TOTAL, (wanted.status, wanted.recruiter), |row| row.get(0))?;
    let offset = i64::from(wanted.page - 1) * i64::from(wanted.per_page);
    let params = (wanted.status, wanted.recruiter, wanted.per_page, offset);
    let candidates = sql.all(LINES, params, |row| {
        Ok(Line {
            id: row.get(0)?,
            name: row.get(1)?,
            status: row.get(2)?,
            job: row.get(3)?,
            mean_score: row.get(4)?,
        })
    })?;
    Ok(Page {
        total,
        page: wanted.page,
        per_page: wanted.per_page,
        candidates,
    })
}

fn first_page() -> u32 {
    1
}

fn usual_length() -> u32 {
    20
}

const MOST: u32 = 100;

const TOTAL: &str = "
    SELECT count(*) FROM candidates
    WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR recruiter_id = ?2)";

const LINES: &str = "
    WITH page AS (
        SELECT id, name, status, job_id FROM candidates
        WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR recruiter_id = ?2)
        ORDER BY id LIMIT ?3 OFFSET ?4)
    SELECT p.id, p.name, p.status, j.title, round(avg(s.value), 3)
    FROM page p JOIN jobs j ON j.id = p.job_id LEFT JOIN scores s ON s.candidate_id = p.id
    GROUP BY p.id ORDER BY p.id";
