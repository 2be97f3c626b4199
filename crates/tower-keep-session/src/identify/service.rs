//! The service: it looks, and goes on.

use std::{
    mem,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_keep_store::ResponseBody;
use tower_service::Service;

use super::future::IdentifyFuture;
use crate::handle::SessionHandle;

/// What [`IdentifyLayer`](crate::IdentifyLayer) makes of a service. Ready when the inner service is.
#[derive(Clone, Debug)]
pub struct Identify<S> {
    inner: S,
}

impl<S> Identify<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Identify<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: Body,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = IdentifyFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let handle = request.extensions().get::<SessionHandle>();
        let Some(handle) = handle.filter(|handle| handle.has_ticket()).cloned() else {
            return IdentifyFuture::calling(self.inner.call(request));
        };
        let clone = self.inner.clone();
        let readied = mem::replace(&mut self.inner, clone);
        IdentifyFuture::looking(handle, readied, request)
    }
}
