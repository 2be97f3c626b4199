//! Looking in and clearing out, at an address of its own, for those who know the token.
//!
//! - `POST /purge?url=http://host/path`: one resource, with all its variants.
//! - `POST /invalidate` with JSON: `{"tags": ["a"], "classes": ["b"], "everything": false, "soft": true}`.
//! - `GET /inspect?url=http://host/path`: what is kept of it, in this process and in the store, and how it
//!   would be used, in JSON. (Not what is kept for requests with the headers that the key is made of.)
//! - `GET /stats`: what the cache holds and how it does, in JSON.
//! - `GET /metrics`: the same for Prometheus.
//! - `GET /keep`: the monitor's live page. A browser asks for the token: it is the password, of any user.

mod figures;
mod inspect;
mod invalidate;
mod token;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, post},
};
use tokio::{net::TcpListener, sync::watch};
use tower_keep_hit_rate::Page;

use self::token::Token;
use crate::{config::AdminConfig, error::StartError, stack::Handles};

/// The service behind the admin address.
#[derive(Debug)]
pub(crate) struct Admin {
    router: Router,
    page: Page,
}

impl Admin {
    pub(crate) fn new(config: &AdminConfig, handles: Handles) -> Result<Self, StartError> {
        let token = Arc::new(Token::new(&config.token)?);
        let page = handles.hit_rate.page();
        let router = Router::new()
            .route("/purge", post(invalidate::purge))
            .route("/invalidate", post(invalidate::invalidate))
            .route("/inspect", get(inspect::inspect))
            .route("/stats", get(figures::stats))
            .route("/metrics", get(figures::metrics))
            .with_state(handles)
            .nest_service("/keep", page.clone())
            // Around what does not exist, too: without the token nobody learns what does.
            .fallback(async || http::StatusCode::NOT_FOUND)
            .layer(middleware::from_fn_with_state(token, token::check));
        Ok(Self { router, page })
    }

    /// Until the other end of `stopped` is dropped.
    pub(crate) async fn serve(self, listener: TcpListener, mut stopped: watch::Receiver<()>) {
        let stop = async move {
            while stopped.changed().await.is_ok() {}
            // Who watches would watch for ever.
            self.page.close();
        };
        let served = axum::serve(listener, self.router).with_graceful_shutdown(stop);
        if let Err(error) = served.await {
            tracing::error!(%error, "the admin address is not served any more");
        }
    }
}
