//! Services that answer at once and tell what became of the request.

use std::{
    convert::Infallible,
    future::Ready,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tower::Service;
use tower_keep_bench::{Bare, Request};
use tower_keep_store::{Outcome, OutcomeCell, Told};

/// Tells whoever asks that it was a hit, and what its entry took to fetch, as a cache does.
#[derive(Clone)]
pub(crate) struct Tells(pub(crate) Bare);

impl Service<Request> for Tells {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if let Some(cell) = request.extensions().get::<OutcomeCell>() {
            cell.tell(Told::from(Outcome::Hit).origin_time(Duration::from_millis(5)));
        }
        self.0.call(request)
    }
}

/// Leaves an empty cell, as a server might.
#[derive(Clone)]
pub(crate) struct Gives<S>(pub(crate) S);

impl<S: Service<Request>> Service<Request> for Gives<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        request.extensions_mut().insert(OutcomeCell::default());
        self.0.call(request)
    }
}
