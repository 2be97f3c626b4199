use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use tower::{Layer, Service};
use tower_keep_contract::{Inner, InnerError};
use tower_keep_test_support::{BodyError, ScriptedBody};

/// A layer that does what a closure says with each readied inner service and its request.
///
/// What is around the closure keeps the contract: readiness is passed through, and the readied
/// instance is moved out.
#[derive(Clone)]
pub(crate) struct Around(Arc<Handler>);

pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, BodyError>>;
type Answering = Pin<Box<dyn Future<Output = Result<Answer, InnerError>> + Send>>;
type Handler = dyn Fn(Inner<ScriptedBody>, Request<ScriptedBody>) -> Answering + Send + Sync;

pub(crate) fn around<H, F>(handler: H) -> Around
where
    H: Fn(Inner<ScriptedBody>, Request<ScriptedBody>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Answer, InnerError>> + Send + 'static,
{
    Around(Arc::new(move |inner, request| {
        Box::pin(handler(inner, request))
    }))
}

pub(crate) fn boxed<B>(response: Response<B>) -> Answer
where
    B: Body<Data = Bytes, Error = BodyError> + Send + 'static,
{
    response.map(BodyExt::boxed_unsync)
}

impl Layer<Inner<ScriptedBody>> for Around {
    type Service = AroundService;

    fn layer(&self, inner: Inner<ScriptedBody>) -> AroundService {
        AroundService {
            handler: Arc::clone(&self.0),
            inner,
        }
    }
}

#[derive(Clone)]
pub(crate) struct AroundService {
    handler: Arc<Handler>,
    inner: Inner<ScriptedBody>,
}

impl Service<Request<ScriptedBody>> for AroundService {
    type Response = Answer;
    type Error = InnerError;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), InnerError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ScriptedBody>) -> Answering {
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        (self.handler)(ready, request)
    }
}
