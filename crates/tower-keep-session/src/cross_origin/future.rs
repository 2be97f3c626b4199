//! The response future: it polls, and decides nothing.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use pin_project_lite::pin_project;
use tower_keep_store::ResponseBody;

use super::refusal::Refusal;

pin_project! {
    /// The future of [`CrossOrigin`](crate::CrossOrigin)'s responses.
    pub struct CrossOriginFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Calling { #[pin] inner: F },
        Refused { why: Refusal },
    }
}

impl<F> CrossOriginFuture<F> {
    pub(super) fn calling(inner: F) -> Self {
        Self {
            state: State::Calling { inner },
        }
    }

    pub(super) fn refused(why: Refusal) -> Self {
        Self {
            state: State::Refused { why },
        }
    }
}

impl<F, B, E> Future for CrossOriginFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Calling { inner } => inner
                .poll(cx)
                .map_ok(|response| response.map(ResponseBody::passing)),
            StateProj::Refused { why } => Poll::Ready(Ok(why.response().map(ResponseBody::own))),
        }
    }
}

impl<F> fmt::Debug for CrossOriginFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Calling { .. } => "calling",
            State::Refused { .. } => "refused",
        };
        f.debug_tuple("CrossOriginFuture").field(&state).finish()
    }
}
