//! `GET /api/recruiters`: whose dashboard may be chosen.

use axum::{Extension, Json, extract::State, response::IntoResponse};
use serde::Serialize;

use crate::{
    app::AppState,
    cache,
    http::{Problem, QueryCount},
};

#[derive(Debug, Serialize)]
struct Recruiter {
    id: i64,
    name: String,
    company: String,
}

pub(crate) async fn recruiters(
    State(app): State<AppState>,
    count: QueryCount,
) -> Result<impl IntoResponse, Problem> {
    let recruiters = app
        .database
        .read(&count, |sql| {
            Ok(sql.all(STATEMENT, [], |row| {
                Ok(Recruiter {
                    id: row.get(0)?,
                    name: row.get(1)?,
                    company: row.get(2)?,
                })
            })?)
        })
        .await?;
    Ok((Extension(cache::recruiters()), Json(recruiters)))
}

const STATEMENT: &str = "
    SELECT r.id, r.name, c.name FROM recruiters r JOIN companies c ON c.id = r.company_id
    ORDER BY c.name, r.name, r.id";
