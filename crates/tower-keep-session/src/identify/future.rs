//! The response future.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_keep_store::{Identity, ResponseBody};
use tower_service::Service;

use crate::{answer, error::SessionError, handle::SessionHandle};

pin_project! {
    /// The future of [`Identify`](crate::Identify)'s responses.
    pub struct IdentifyFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, ReqBody, F> {
        Looking { look: Look, then: Option<Box<Then<S, ReqBody>>> },
        Calling { #[pin] inner: F },
    }
}

type Look = Pin<Box<dyn Future<Output = Result<Option<Identity>, SessionError>> + Send>>;

/// What goes on once it is known: the instance that was readied, with its request.
struct Then<S, ReqBody> {
    inner: S,
    request: Request<ReqBody>,
}

impl<S, ReqBody> IdentifyFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn looking(handle: SessionHandle, inner: S, request: Request<ReqBody>) -> Self {
        let then = Some(Box::new(Then { inner, request }));
        let look: Look = Box::pin(async move { handle.identity().await });
        Self {
            state: State::Looking { look, then },
        }
    }

    pub(super) fn calling(inner: S::Future) -> Self {
        Self {
            state: State::Calling { inner },
        }
    }
}

impl<S, ReqBody, ResBody> Future for IdentifyFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Looking { look, then } => {
                    let identity = ready!(look.as_mut().poll(cx));
                    let then = then.take();
                    let then = then.expect("a future is not polled after it is done");
                    match identity {
                        Ok(identity) => State::Calling {
                            inner: then.go_on(identity),
                        },
                        Err(error) => {
                            let grpc = answer::grpc(then.request.method(), then.request.headers());
                            let problem = answer::problem(error.status(), grpc);
                            return Poll::Ready(Ok(problem.map(ResponseBody::own)));
                        }
                    }
                }
                StateProj::Calling { inner } => {
                    let response = ready!(inner.poll(cx))?;
                    return Poll::Ready(Ok(response.map(ResponseBody::passing)));
                }
            };
            state.set(next);
        }
    }
}

impl<S, ReqBody> Then<S, ReqBody> {
    fn go_on(mut self, identity: Option<Identity>) -> S::Future
    where
        S: Service<Request<ReqBody>>,
    {
        if let Some(identity) = identity {
            self.request.extensions_mut().insert(identity);
        }
        self.inner.call(self.request)
    }
}

impl<S, ReqBody> fmt::Debug for IdentifyFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Looking { .. } => "looking",
            State::Calling { .. } => "calling",
        };
        f.debug_tuple("IdentifyFuture").field(&state).finish()
    }
}
