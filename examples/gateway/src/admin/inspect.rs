//! Looking at what is kept of one URL.

use axum::{
    Json,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_keep::{Inspection, types::Verdict};

use super::invalidate::{refused, whole};
use crate::{answer::problem, stack::Handles};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inspect {
    url: String,
}

/// `GET /inspect?url=…`.
pub(super) async fn inspect(
    State(handles): State<Handles>,
    Query(Inspect { url }): Query<Inspect>,
) -> Response {
    let Some(uri) = whole(&url) else {
        return refused("url: a whole one, http://host/path");
    };
    match handles.cache.inspect("", &uri).await {
        Ok(found) => Json(found.iter().map(told).collect::<Vec<_>>()).into_response(),
        Err(error) => {
            let detail = format!("the store did not answer: {error}");
            problem(StatusCode::SERVICE_UNAVAILABLE, &detail).into_response()
        }
    }
}

fn told(it: &Inspection) -> Value {
    let hit = |verdict: &Verdict| *verdict != Verdict::Valid;
    let invalidated = it.targets.iter().filter(|(_, verdict)| hit(verdict));
    json!({
        "level": if it.first_level { "process" } else { "store" },
        "state": it.state.as_str(),
        "status": it.status.as_u16(),
        "body_bytes": it.body,
        "age_s": it.age.as_secs_f64(),
        "fresh_for_s": it.fresh_for.as_secs_f64(),
        "stale_while_revalidate_s": it.stale_while_revalidate.as_secs_f64(),
        "stale_if_error_s": it.stale_if_error.as_secs_f64(),
        "kept_for_s": it.kept_for.as_secs_f64(),
        "origin_took_s": it.cost.as_secs_f64(),
        "varies_by": it.varies_by.iter().map(http::HeaderName::as_str).collect::<Vec<_>>(),
        "targets": it.targets.len(),
        "targets_invalidated": invalidated.count(),
    })
}
