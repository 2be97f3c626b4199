//! The pages, and what they depend on.

use std::time::Duration;

use axum::{
    Extension, Json, Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use tokio_postgres::Config;
use tower_keep::{
    CacheDirective, CacheHandle, CacheLayer, Changed, Class, Classes, Dependency, Rules, Store,
    StoreError, Tag,
};

use crate::{StartError, feed, people::People};

#[derive(Clone)]
struct AppState {
    people: People,
    cache: CacheHandle,
}

/// The pages of the people in one database, cached in `store`.
///
/// `listen` is how the database is reached to hear of changes: not through a pooler that gives each transaction
/// another connection. Nothing that is older than `bound` is served while it cannot be heard.
///
/// # Errors
///
/// The tables are not there and cannot be made.
pub async fn app(
    database: Config,
    listen: Config,
    bound: Duration,
    store: &Store,
) -> Result<Router, StartError> {
    let people = People::new(database);
    people.prepare().await?;
    let classes = Classes::new().class(PEOPLE, Class::fresh_for(Duration::from_secs(3600)));
    let layer = CacheLayer::builder(store.clone())
        .classes(classes)
        .build()?;
    let cache = layer.handle().with_rules(rules())?;
    // What an earlier process left in the store is of a time when nobody listened.
    told(cache.changed(Changed::missed()).await);
    // Goes on until the cache is gone.
    let _following = cache.follow(feed::changes(listen, bound));
    Ok(Router::new()
        .route("/people/{id}", get(person).put(rename))
        .route("/teams/{name}", get(team))
        .layer(layer)
        .with_state(AppState { people, cache }))
}

/// What depends on what. Of what was missed, or all of a kind, nobody says which: all pages of the class.
fn rules() -> Rules {
    Rules::new()
        .on("person", |it| [Tag::of("person", it.id())])
        .on("team", |it| [Tag::of("team", it.id())])
        .on_all("person", [Dependency::class(PEOPLE)])
        .on_all("team", [Dependency::class(PEOPLE)])
        .on_missed([Dependency::class(PEOPLE)])
}

async fn person(
    State(app): State<AppState>,
    Path(id): Path<i64>,
) -> Result<impl IntoResponse, Failure> {
    let person = app.people.person(id).await?.ok_or(Failure::Nobody)?;
    let directive = CacheDirective::class(PEOPLE).tag(Tag::of("person", id));
    Ok((Extension(directive), Json(person)))
}

/// Whatever is done to somebody is done to their team as well: see the triggers.
async fn team(
    State(app): State<AppState>,
    Path(name): Path<String>,
) -> Result<impl IntoResponse, Failure> {
    let team = app.people.team(&name).await?;
    let directive = CacheDirective::class(PEOPLE).tag(Tag::of("team", name));
    Ok((Extension(directive), Json(team)))
}

/// Others may forget to tell the cache of what they change, and the database does it for them, a few milliseconds
/// later. Whoever has *this* answer reads nothing older even then.
async fn rename(
    State(app): State<AppState>,
    Path(id): Path<i64>,
    name: String,
) -> Result<StatusCode, Failure> {
    let team = app.people.rename(id, &name).await?.ok_or(Failure::Nobody)?;
    let changes = [Changed::new("person", id), Changed::new("team", team)];
    told(app.cache.changes(changes).await);
    Ok(StatusCode::NO_CONTENT)
}

/// It is in force here, and everywhere as soon as the store takes it.
fn told(told: Result<(), StoreError>) {
    told.unwrap_or_else(|error| tracing::warn!(%error, "will be told later"));
}

enum Failure {
    Nobody,
    Database(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Nobody => StatusCode::NOT_FOUND,
            Self::Database(error) => {
                tracing::warn!(%error, "the database failed");
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
        .into_response()
    }
}

const PEOPLE: &str = "people";
