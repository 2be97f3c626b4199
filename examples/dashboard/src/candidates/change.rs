//! `PATCH /api/candidates/{id}/status`.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{Candidate, status::Status};
use crate::{
    app::AppState,
    http::{Id, Problem, QueryCount, RawBody, json},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    status: Status,
}

/// Changes the row, then loads what is cached of it anew.
///
/// Of the cache nothing is said here: the write returns when everybody who shows the row has been told, so
/// whoever has the answer reads nothing older.
pub(crate) async fn change(
    State(app): State<AppState>,
    count: QueryCount,
    Id(id): Id,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    let Change { status } = json(&body)?;
    app.database
        .write(&count, move |sql| Candidate::change(sql, id, status))
        .await?;
    let load = || {
        app.database
            .read(&count, move |sql| Candidate::load(sql, id))
    };
    let candidate = app.caches.candidate(id, load).await?;
    Ok(Json(&*candidate).into_response())
}
