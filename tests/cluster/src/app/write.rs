//! What is changed by the application itself.

use std::time::Duration;

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use tower_keep_cache::Tag;
use tower_keep_store::Target;

use super::App;

/// Marks the item, changes it, and invalidates it: from before the change nothing old is served.
pub(super) async fn write(State(app): State<App>, Path(item): Path<u64>) -> Response {
    let deadline = app.store.step_deadline();
    let targets = [Target::from(Tag::of("item", item))];
    let doubt = app.store.log().doubt(&targets, DOUBT_LEASE, deadline).await;
    // Nothing was changed yet.
    let Ok(doubt) = doubt else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let version = app.origin.commit(item).await;
    match (doubt.resolve().await, version) {
        (Ok(_), Ok(version)) => version.to_string().into_response(),
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// How long what a process was changing when it died is in doubt.
pub const DOUBT_LEASE: Duration = Duration::from_secs(2);
