//! `GET /api/jobs`: a page of jobs, those in demand first, with facets.

use axum::{Extension, Json, extract::State, response::IntoResponse};
use serde::Serialize;

use super::{
    facets::{self, Facets},
    filter::{JobFilter, WHERE, Wanted},
};
use crate::{
    app::AppState,
    cache,
    database::Queries,
    http::{Filter, Problem, QueryCount},
};

#[derive(Debug, Serialize)]
struct Catalog {
    total: i64,
    page: u32,
    jobs: Vec<Job>,
    facets: Facets,
}

#[derive(Debug, Serialize)]
struct Job {
    id: i64,
    title: String,
    company: String,
    location: String,
    seniority: String,
    remote: bool,
    salary_min: i64,
    salary_max: i64,
    /// Where the salary stands among jobs of this level, in `0.0..=1.0`.
    salary_rank: f64,
    posted_on: String,
    applicants: i64,
    applicants_score: Option<f64>,
    interviews: i64,
}

pub(crate) async fn list(
    State(app): State<AppState>,
    count: QueryCount,
    Filter(wanted): Filter<Wanted>,
) -> Result<impl IntoResponse, Problem> {
    let page = wanted.page.unwrap_or(1).max(1);
    let filter = JobFilter::new(wanted)?;
    let catalog = app
        .database
        .read(&count, move |sql| load(sql, &filter, page))
        .await?;
    Ok((Extension(cache::catalog()), Json(catalog)))
}

fn load(sql: &Queries<'_>, filter: &JobFilter, page: u32) -> Result<Catalog, Problem> {
    let total = format!("SELECT count(*) FROM jobs j WHERE {WHERE}");
    Ok(Catalog {
        total: sql.one(&total, filter.params().as_slice(), |row| row.get(0))?,
        page,
        jobs: jobs(sql, filter, page)?,
        facets: facets::load(sql, filter)?,
    })
}

fn jobs(sql: &Queries<'_>, filter: &JobFilter, page: u32) -> rusqlite::Result<Vec<Job>> {
    let offset = i64::from(page - 1) * LENGTH;
    let [location, seniority, skill, remote, salary, text] = filter.params();
    let params: [&dyn rusqlite::ToSql; 8] = [
        location, seniority, skill, remote, salary, text, &LENGTH, &offset,
    ];
    sql.all(
        &format!("{DEMAND} WHERE {WHERE} {ORDER}"),
        params.as_slice(),
        |row| {
            Ok(Job {
                id: row.get(0)?,
                title: row.get(1)?,
                company: row.get(2)?,
                location: row.get(3)?,
                seniority: row.get(4)?,
                remote: row.get(5)?,
                salary_min: row.get(6)?,
                salary_max: row.get(7)?,
                salary_rank: row.get(8)?,
                posted_on: row.get(9)?,
                applicants: row.get(10)?,
                applicants_score: row.get(11)?,
                interviews: row.get(12)?,
            })
        },
    )
}

const LENGTH: i64 = 20;

/// Demand is how many scored candidates applied, their median score, and how
/// often they were invited. The salary is compared with all open jobs of the
/// same level, not only with those the visitor asked for.
const DEMAND: &str = "
    WITH scored AS (
        SELECT c.job_id, c.id, s.value,
               row_number() OVER (PARTITION BY c.job_id ORDER BY s.value) AS place,
               count(*) OVER (PARTITION BY c.job_id) AS places
        FROM scores s JOIN candidates c ON c.id = s.candidate_id),
    demand AS (
        SELECT job_id, count(DISTINCT id) AS applicants,
               avg(CASE WHEN place IN ((places + 1) / 2, (places + 2) / 2) THEN value END) AS score
        FROM scored GROUP BY job_id),
    invited AS (
        SELECT c.job_id, count(*) AS interviews
        FROM interviews i JOIN candidates c ON c.id = i.candidate_id
        GROUP BY c.job_id),
    market AS (
        SELECT id, percent_rank() OVER (PARTITION BY seniority ORDER BY salary_max) AS rank
        FROM jobs WHERE open)
    SELECT j.id, j.title, o.name, j.location, j.seniority, j.remote, j.salary_min, j.salary_max,
           round(m.rank, 3), date(j.posted_at, 'unixepoch'), coalesce(d.applicants, 0),
           round(d.score, 3), coalesce(i.interviews, 0)
    FROM jobs j
    JOIN companies o ON o.id = j.company_id
    JOIN market m ON m.id = j.id
    LEFT JOIN demand d ON d.job_id = j.id
    LEFT JOIN invited i ON i.job_id = j.id";

const ORDER: &str = "
    ORDER BY coalesce(d.applicants, 0) * coalesce(d.score, 0) DESC, j.posted_at DESC, j.id
    LIMIT ?7 OFFSET ?8";
