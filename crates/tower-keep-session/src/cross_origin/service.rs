//! The service: a refusal, or the inner service.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_keep_store::{Outcome, OutcomeCell, ResponseBody};
use tower_service::Service;

use super::{decide::Rules, future::CrossOriginFuture};

/// What [`CrossOriginLayer`](crate::CrossOriginLayer) makes of a service.
///
/// Ready when the inner service is. A request that is refused is answered without it, and what it had reserved
/// for the request is given back.
#[derive(Clone, Debug)]
pub struct CrossOrigin<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S> CrossOrigin<S> {
    pub(super) fn new(inner: S, rules: Arc<Rules>) -> Self {
        Self { inner, rules }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for CrossOrigin<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = CrossOriginFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (head, body) = request.into_parts();
        if let Err(refusal) = self.rules.decide(&head) {
            tracing::debug!(why = refusal.as_str(), "a request was refused");
            if let Some(cell) = head.extensions.get::<OutcomeCell>() {
                cell.set(Outcome::Rejected);
            }
            // The instance that was readied goes, and with it what it had reserved.
            self.inner = self.inner.clone();
            return CrossOriginFuture::refused(refusal);
        }
        let request = Request::from_parts(head, body);
        CrossOriginFuture::calling(self.inner.call(request))
    }
}
