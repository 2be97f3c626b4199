//! The application: routes, and the layers around them.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{any, get, patch, post},
};
use http::StatusCode;
use tower_keep::Store;

use crate::{
    cache::{self, Caches},
    candidates,
    database::Database,
    error::StartError,
    http::{Problem, TimingLayer, ask_each_time},
    jobs,
    limits::{self, Limits},
    overview::{self, Outlook},
    page,
    recommendations::{self, Matcher},
    webhook,
};

/// The application over one database and one store.
///
/// Several may run over the same two, in one process or in many: what one
/// changes, the others see.
#[derive(Debug)]
pub struct App {
    router: Router,
}

/// What handlers share.
#[derive(Clone, Debug)]
pub(crate) struct AppState {
    pub(crate) database: Database,
    pub(crate) caches: Caches,
}

impl App {
    /// Builds the application.
    ///
    /// # Errors
    ///
    /// When the cache's options do not go together, or the limits allow nothing.
    pub fn new(database: Database, store: &Store, limits: Limits) -> Result<Self, StartError> {
        let (cache, caches) = cache::build(store)?;
        let limit = limits::build(store, limits)?;
        let state = AppState { database, caches };
        // What is about this request only stands outside the cache, and is never stored.
        let router = api()
            .layer(cache.clone())
            .layer(limit)
            .merge(others().layer(cache))
            .with_state(state)
            .layer(middleware::map_response(ask_each_time))
            .layer(TimingLayer);
        Ok(Self { router })
    }

    /// Makes the model's weights now instead of at the first request that needs
    /// them. Blocks for some tenths of a second.
    pub fn prepare_model() {
        Outlook::prepare();
        Matcher::shared();
    }

    /// The service to serve, with the address of the client in each request
    /// (`into_make_service_with_connect_info::<SocketAddr>()`): without it, all
    /// clients count as one.
    pub fn into_router(self) -> Router {
        self.router
    }
}

/// What is limited, addresses under `/api` that do not exist included.
fn api() -> Router<AppState> {
    Router::new()
        .route("/api/recruiters", get(overview::recruiters))
        .route("/api/dashboard/{recruiter}", get(overview::show))
        .route("/api/jobs", get(jobs::list))
        .route(
            "/api/recommendations/{candidate}",
            get(recommendations::show),
        )
        .route("/api/candidates", get(candidates::list))
        .route("/api/candidates/{id}", get(candidates::show))
        .route("/api/candidates/{id}/status", patch(candidates::change))
        .route("/api/{*rest}", any(nothing))
        .method_not_allowed_fallback(other_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
}

fn others() -> Router<AppState> {
    Router::new()
        .route("/", get(page::show))
        .route("/webhooks/calendar", post(webhook::receive))
        .fallback(nothing)
        .method_not_allowed_fallback(other_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
}

async fn nothing() -> Problem {
    Problem::not_found("there is nothing under this address")
}

async fn other_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this address does not take this method",
    )
}

/// A status change has 30 bytes, a booking 120.
const LARGEST_BODY: usize = 16 * 1024;
