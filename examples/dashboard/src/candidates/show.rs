//! `GET /api/candidates/{id}`.

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};

use super::Candidate;
use crate::{
    app::AppState,
    cache,
    http::{Bypass, Id, Problem, QueryCount},
};

/// Cached twice: the response by the layer, and the value that the response is
/// made of, which a status change replaces. After a change the next read finds
/// the new value there and asks the database nothing.
pub(crate) async fn show(
    State(app): State<AppState>,
    bypass: Bypass,
    count: QueryCount,
    Id(id): Id,
) -> Result<Response, Problem> {
    let load = || {
        app.database
            .read(&count, move |sql| Candidate::load(sql, id))
    };
    let candidate = if bypass.is_asked() {
        load().await?.into()
    } else {
        app.caches.candidate(id, load).await?
    };
    Ok((Extension(cache::candidate(id)), Json(&*candidate)).into_response())
}
