//! `PATCH /api/candidates/{id}/status`.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{Candidate, status::Status};
use crate::{
    app::AppState,
    cache,
    http::{Id, Problem, QueryCount, RawBody, json, to_the_end},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    status: Status,
}

/// Writes through: the row in a transaction, then the cached value. The list and
/// the dashboards of the company are invalid before the answer goes out, so
/// whoever has the answer reads nothing older.
pub(crate) async fn change(
    State(app): State<AppState>,
    count: QueryCount,
    Id(id): Id,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    let Change { status } = json(&body)?;
    let candidate = to_the_end(write(app, count, id, status)).await?;
    Ok(Json(&*candidate).into_response())
}

async fn write(
    app: AppState,
    count: QueryCount,
    id: i64,
    status: Status,
) -> Result<Arc<Candidate>, Problem> {
    let change = app
        .database
        .write(&count, move |sql| Candidate::change(sql, id, status));
    let candidate = app.caches.write_candidate(id, change).await?;
    app.caches
        .invalidate(cache::touched_by_candidate(&candidate))
        .await;
    Ok(candidate)
}
