use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tokio::sync::oneshot;
use tower::{Layer, Service, ServiceExt};
use tower_keep_contract::{Inner, InnerError};
use tower_keep_test_support::ScriptedBody;

/// Always ready; waits for the inner service in a task of its own, and keeps the permit that comes
/// when nobody waits for it any more.
#[derive(Clone, Copy)]
pub(crate) struct WaitsBeside;

impl Layer<Inner<ScriptedBody>> for WaitsBeside {
    type Service = Waiting;

    fn layer(&self, inner: Inner<ScriptedBody>) -> Waiting {
        Waiting(inner)
    }
}

#[derive(Clone)]
pub(crate) struct Waiting(Inner<ScriptedBody>);

impl Service<Request<ScriptedBody>> for Waiting {
    type Response = Response<ScriptedBody>;
    type Error = InnerError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, InnerError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), InnerError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ScriptedBody>) -> Self::Future {
        let mut inner = self.0.clone();
        Box::pin(async move {
            let (sends, ready) = oneshot::channel();
            tokio::spawn(async move {
                let _ = inner.ready().await;
                if let Err(unwanted) = sends.send(inner) {
                    mem::forget(unwanted);
                }
            });
            let mut ready = ready.await.expect("the task sends");
            ready.call(request).await
        })
    }
}
