//! The service: it looks, and leaves everything as it is.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{body::ResponseBody, future::ResponseFuture, monitor::Monitor, recorder::Recorder};

/// What [`HitRateLayer`](crate::HitRateLayer) makes of a service.
///
/// Ready when the inner service is; `Clone` if it is.
#[derive(Clone, Debug)]
pub struct HitRate<S> {
    inner: S,
    monitor: Arc<Monitor>,
}

impl<S> HitRate<S> {
    pub(crate) fn new(inner: S, monitor: Arc<Monitor>) -> Self {
        Self { inner, monitor }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for HitRate<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let mut recorder = Recorder::begin(self.monitor.clone());
        let request = recorder.receive(request);
        let inner = recorder.around(|| self.inner.call(request));
        ResponseFuture::new(inner, recorder)
    }
}
