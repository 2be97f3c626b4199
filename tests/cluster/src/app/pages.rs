//! What is read.

use axum::{
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use percent_encoding::percent_decode_str;
use tower_keep_cache::{CacheDirective, Tag};

use super::{App, COLOURS, GROUPS, SECOND};

pub(super) async fn page(app: State<App>, Path(item): Path<u64>) -> Response {
    of_class(app, item, colour(item)).await
}

pub(super) async fn second(app: State<App>, Path(item): Path<u64>) -> Response {
    of_class(app, item, SECOND).await
}

/// With the tags that the query names, as a handler would that takes names from elsewhere.
pub(super) async fn tagged(
    app: State<App>,
    Path(item): Path<u64>,
    RawQuery(query): RawQuery,
) -> Response {
    let mut directive = directive(item, colour(item));
    for (name, value) in query.iter().flat_map(|query| pairs(query)) {
        directive = match name {
            "tag" => directive.tag(Tag::new(&value)),
            _ => {
                let many = value.parse().unwrap_or(0_u32);
                directive.tags((0..many).map(|number| Tag::of("number", number)))
            }
        };
    }
    answer(&app, item, directive).await
}

pub(super) async fn object(State(app): State<App>, Path(item): Path<u64>) -> Response {
    let load = || app.origin.version(item);
    let objects = &app.objects;
    match objects.get_or_load(("item", item), &tags(item), load).await {
        Ok(version) => version.to_string().into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

async fn of_class(State(app): State<App>, item: u64, class: &'static str) -> Response {
    answer(&app, item, directive(item, class)).await
}

async fn answer(app: &App, item: u64, directive: CacheDirective) -> Response {
    match app.origin.version(item).await {
        Ok(version) => {
            let mut response = version.to_string().into_response();
            response.extensions_mut().insert(directive);
            response
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

fn directive(item: u64, class: &'static str) -> CacheDirective {
    CacheDirective::class(class).tags(tags(item))
}

pub(super) fn tags(item: u64) -> [Tag; 2] {
    [Tag::of("item", item), Tag::of("group", item % GROUPS)]
}

fn colour(item: u64) -> &'static str {
    COLOURS[(item % 3) as usize]
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, String)> {
    query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value).decode_utf8().ok()?;
        Some((name, value.into_owned()))
    })
}
