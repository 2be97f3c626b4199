//! The application: routes, and the layers around them.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{any, delete, get, patch, post},
};
use http::StatusCode;
use tower_keep::{CrossOriginLayer, RateLimitLayer, SessionLayer, Store, hit_rate::Page};

use crate::{
    accounts::{self, Credentials, Queue},
    cache::{self, Caches},
    candidates,
    database::Database,
    error::StartError,
    http::{Problem, TimingLayer, ask_each_time, keep_nothing},
    jobs,
    limits::{self, Limits},
    monitor::{self, Monitoring},
    overview::{self, Outlook},
    page,
    recommendations::{self, Matcher},
    sessions::{self, Sessions},
    webhook,
};

/// The application over one database and one store.
///
/// Several may run over the same two, in one process or in many: what one
/// changes, the others see.
#[derive(Debug)]
pub struct App {
    router: Router,
    page: Page,
    caches: Caches,
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
    /// When the options of a layer do not go together, or the limits allow nothing.
    pub fn new(
        database: Database,
        store: &Store,
        limits: Limits,
        sessions: Sessions,
        monitoring: Monitoring,
    ) -> Result<Self, StartError> {
        let (cache, caches) = cache::build(store)?;
        let limit = limits::build(store, limits)?;
        let sessions = sessions::build(store, sessions)?;
        let (hit_rate, watch) = monitor::build(store, monitoring)?;
        let page = watch.page();
        let sign_in = sign_in(sessions.tokens, limits::failed_logins(store)?);
        let state = AppState {
            database,
            caches: caches.clone(),
        };
        // What is about this request only stands outside the cache, and is never stored.
        let router = api(sign_in)
            .layer(cache.clone())
            .layer(sessions.all)
            .layer(CrossOriginLayer::new())
            .layer(limit)
            .merge(others().layer(cache))
            .layer(hit_rate)
            .with_state(state)
            .layer(middleware::map_response(ask_each_time))
            .layer(TimingLayer)
            // Outside of everything: watching is neither counted nor limited nor cached.
            .nest_service("/keep", page.clone())
            .route_service("/metrics", page.clone());
        Ok(Self {
            router,
            page,
            caches,
        })
    }

    /// Makes the model's weights now instead of at the first request that needs
    /// them. Blocks for some tenths of a second.
    pub fn prepare_model() {
        Outlook::prepare();
        Matcher::shared();
    }

    /// The page that shows how the cache does.
    pub(crate) fn page(&self) -> Page {
        self.page.clone()
    }

    /// What is cached beside the pages.
    pub(crate) fn caches(&self) -> Caches {
        self.caches.clone()
    }

    /// The service to serve, with the address of the client in each request
    /// (`into_make_service_with_connect_info::<SocketAddr>()`): without it, all
    /// clients count as one.
    pub fn into_router(self) -> Router {
        self.router
    }
}

/// What is limited and knows who is signed in, addresses under `/api` that do not exist included. A page that
/// does not ask who that is costs no look at a session, and comes from the cache for everybody.
fn api(sign_in: Router<AppState>) -> Router<AppState> {
    Router::new()
        .merge(own())
        .merge(sign_in)
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

/// What each account has for itself.
fn own() -> Router<AppState> {
    Router::new()
        .route("/recruiter", get(accounts::home))
        .route("/api/me", get(accounts::me))
        .route("/api/logout", post(accounts::logout))
        .route("/api/logout-everywhere", post(accounts::logout_everywhere))
        .route("/api/devices", get(accounts::devices))
        .route("/api/devices/{id}", delete(accounts::revoke))
        .layer(middleware::map_response(keep_nothing))
}

/// The two ways in. Who fails too often is refused before a password is looked at.
fn sign_in(tokens: SessionLayer, limit: RateLimitLayer) -> Router<AppState> {
    Router::new()
        .route("/api/login", post(accounts::login))
        .route("/api/tokens", post(accounts::login).layer(tokens))
        .layer(limit)
        .layer(middleware::from_fn_with_state(Queue::new(), Queue::turn))
        .layer(middleware::from_fn(Credentials::read))
        .layer(middleware::map_response(keep_nothing))
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
