//! The service: a verdict first, then the inner service or a refusal.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, request::Parts};
use http_body::Body;
use tower_keep_store::{Outcome, OutcomeCell, ResponseBody};
use tower_service::Service;

use crate::{
    answer::Grpc,
    deciding::{Begun, begin},
    future::ResponseFuture,
    limits::Limits,
    note::Note,
    status::RateLimitStatus,
};

/// What [`RateLimitLayer`](crate::RateLimitLayer) makes of a service.
///
/// Ready when the inner service is. A request that is refused is answered without it, and what it had
/// reserved for the request is given back.
#[derive(Clone, Debug)]
pub struct RateLimit<S> {
    inner: S,
    limits: Arc<Limits>,
}

impl<S> RateLimit<S> {
    pub(crate) fn new(inner: S, limits: Arc<Limits>) -> Self {
        Self { inner, limits }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RateLimit<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: Body,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        match begin(&self.limits, &head) {
            Begun::Free => {
                let request = Request::from_parts(head, body);
                ResponseFuture::calling(self.inner.call(request), None)
            }
            Begun::Decided(verdict) if verdict.status.refusal.is_some() => {
                // The instance that was readied goes, and with it what it had reserved.
                self.inner = self.inner.clone();
                ResponseFuture::ready(refuse(&self.limits, &verdict.status, &head))
            }
            Begun::Decided(verdict) => {
                let note = Note::take(&self.limits, verdict, &mut head.extensions);
                let request = Request::from_parts(head, body);
                ResponseFuture::calling(self.inner.call(request), Some(note))
            }
            Begun::Deciding(deciding) => {
                let clone = self.inner.clone();
                // The instance that was readied is the one that is called.
                let inner = mem::replace(&mut self.inner, clone);
                let request = Request::from_parts(head, body);
                ResponseFuture::deciding(deciding, self.limits.clone(), inner, request)
            }
        }
    }
}

/// The refusal of a request.
pub(crate) fn refuse<B: Body>(
    limits: &Limits,
    status: &RateLimitStatus,
    head: &Parts,
) -> Response<ResponseBody<B>> {
    if let Some(cell) = head.extensions.get::<OutcomeCell>() {
        cell.set(Outcome::Rejected);
    }
    let grpc = Grpc::of(&head.method, &head.headers);
    let mut response = limits.answers.refuse(status, grpc);
    // For whoever writes a log further out; what passes tells it to the inner service instead.
    response.extensions_mut().insert(status.clone());
    response.map(ResponseBody::own)
}
