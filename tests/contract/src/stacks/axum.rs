use std::convert::Infallible;

use axum::{Router, body::Body, extract::Request, response::IntoResponse, routing::Route};
use tower::{Layer, Service};

use super::{client::visit, site::Site};
use crate::{Contract, Kept, rules::check, server::Server};

/// A layer that `axum::Router::layer` takes.
pub trait OnAxum {
    /// The router with the layer around its routes.
    fn around(&self, router: Router) -> Router;
}

impl<L> OnAxum for L
where
    L: Layer<Route> + Clone + Send + Sync + 'static,
    L::Service: Service<
            Request,
            Response: IntoResponse + 'static,
            Error: Into<Infallible> + 'static,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    fn around(&self, router: Router) -> Router {
        router.layer(self.clone())
    }
}

/// In an axum router: round trips, streams, trailers and errors over HTTP/1.1 and HTTP/2.
pub async fn on_axum<L: OnAxum>(contract: &Contract<L>) -> Kept {
    let site = Site::new();
    let answers = site.clone();
    let router = Router::new().fallback(move |request: Request| {
        let answer = answers.answer(request);
        async { answer.await.map(Body::new) }
    });
    let router = contract.layer().around(router);
    let server = Server::start(async |listener| {
        let _ = axum::serve(listener, router).await;
    })
    .await;
    check(
        "stacks::on_axum",
        visit(server.address(), &site, contract.patience),
    )
    .await
}
