//! What is said to be old.

use axum::extract::{Path, State};
use http::{StatusCode, Uri};
use tower_keep_cache::Tag;
use tower_keep_store::Mode;

use super::{App, HOST};

pub(super) async fn invalidate_all(app: State<App>, Path(kind): Path<String>) -> StatusCode {
    // A tag may have no name.
    invalidate(app, Path((kind, String::new()))).await
}

pub(super) async fn invalidate(
    State(app): State<App>,
    Path((kind, name)): Path<(String, String)>,
) -> StatusCode {
    let handle = &app.handle;
    let done = match kind.as_str() {
        "tag" => handle.invalidate([Tag::new(&name)], Mode::Hard).await,
        "soft" => handle.invalidate([Tag::new(&name)], Mode::Soft).await,
        "item" | "group" => handle.invalidate([Tag::of(&kind, name)], Mode::Hard).await,
        "class" => handle.invalidate_class(&name, Mode::Hard).await,
        "everything" => handle.invalidate_everything(Mode::Hard).await,
        "object" => {
            let objects = &app.objects;
            objects.invalidate(("item", name), Mode::Hard).await
        }
        "page" => match format!("/page/{name}").parse::<Uri>() {
            Ok(uri) => handle.purge(HOST, &uri).await,
            Err(_) => return StatusCode::BAD_REQUEST,
        },
        _ => return StatusCode::NOT_FOUND,
    };
    match done {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
