//! What is changed by the application itself.

use std::{io, sync::Arc, time::Duration};

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use tower_keep_cache::{Tag, Written};

use super::{App, pages::tags};

/// Changes the item in a write of the handle's, which announces it: from before the change nothing old is served.
pub(super) async fn write(State(app): State<App>, Path(item): Path<u64>) -> Response {
    let handle = app.handle.clone().lease(DOUBT_LEASE);
    let written = handle.write([Tag::of("item", item)], app.origin.commit(item));
    answer(written.await)
}

/// Changes the item by writing its value through.
pub(super) async fn put(State(app): State<App>, Path(item): Path<u64>) -> Response {
    let (change, tags) = (app.origin.commit(item), tags(item));
    let written = app.objects.write(("item", item), &tags, change);
    answer(written.await.map(unshared))
}

/// The same, announced.
pub(super) async fn put_announced(State(app): State<App>, Path(item): Path<u64>) -> Response {
    let objects = app.objects.clone().announce_writes(DOUBT_LEASE);
    let (change, tags) = (app.origin.commit(item), tags(item));
    let written = objects.write(("item", item), &tags, change);
    answer(written.await.map(unshared))
}

/// What is said of a change: more than that it was made.
fn answer(written: io::Result<Written<u64>>) -> Response {
    match written.map(Written::into_told) {
        Ok(Ok(version)) => version.to_string().into_response(),
        Ok(Err(_)) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

fn unshared(written: Written<Arc<u64>>) -> Written<u64> {
    let Written { value, told } = written;
    Written {
        value: *value,
        told,
    }
}

/// How long what a process was changing when it died is in doubt.
pub const DOUBT_LEASE: Duration = Duration::from_secs(2);
