//! Clearing out.

use axum::{
    Json,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, Uri};
use serde::Deserialize;
use tower_keep::{Dependency, Mode, StoreError, Tag};

use crate::{answer::problem, stack::Handles};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Purge {
    url: String,
}

/// `POST /purge?url=…`.
pub(super) async fn purge(
    State(handles): State<Handles>,
    Query(Purge { url }): Query<Purge>,
) -> Response {
    let Some(uri) = whole(&url) else {
        return refused("url: a whole one, http://host/path");
    };
    // The URI has an authority of its own.
    done(handles.cache.purge("", &uri).await)
}

/// A URI with scheme and host.
pub(super) fn whole(url: &str) -> Option<Uri> {
    let uri: Uri = url.parse().ok()?;
    (uri.scheme().is_some() && uri.host().is_some()).then_some(uri)
}

/// What is to be cleared out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Invalidation {
    tags: Vec<String>,
    classes: Vec<String>,
    everything: bool,
    /// Whether it may still answer as stale.
    soft: bool,
}

/// `POST /invalidate`.
pub(super) async fn invalidate(
    State(handles): State<Handles>,
    Json(wanted): Json<Invalidation>,
) -> Response {
    if wanted.tags.is_empty() && wanted.classes.is_empty() && !wanted.everything {
        return refused("nothing is named: tags, classes or everything");
    }
    done(carry_out(&handles, &wanted).await)
}

/// In one record: what the store does not take holds here as a whole.
async fn carry_out(handles: &Handles, wanted: &Invalidation) -> Result<(), StoreError> {
    let mode = if wanted.soft { Mode::Soft } else { Mode::Hard };
    let tags = wanted.tags.iter().map(|name| Tag::new(name).into());
    let classes = wanted.classes.iter().map(|name| Dependency::class(name));
    let everything = wanted.everything.then(Dependency::everything);
    let named = tags.chain(classes).chain(everything);
    handles.cache.invalidate(named, mode).await
}

/// What the store did not take holds here, and is written later: who asked should know.
fn done(result: Result<(), StoreError>) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            let detail = format!("in force in this process only, for now: {error}");
            problem(StatusCode::SERVICE_UNAVAILABLE, &detail).into_response()
        }
    }
}

pub(super) fn refused(detail: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, detail).into_response()
}
