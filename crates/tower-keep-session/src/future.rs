//! The response future: it polls, and decides nothing.

use std::{
    any::Any,
    fmt,
    future::Future,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_keep_store::ResponseBody;

use crate::{answer, core::Issue, error::SessionError, service::Visit};

pin_project! {
    /// The future of [`SessionManager`](crate::SessionManager)'s responses.
    pub struct ResponseFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }

    /// Whose client left is told nothing more: what goes on without it can begin no session.
    impl<F, B> PinnedDrop for ResponseFuture<F, B> {
        fn drop(this: Pin<&mut Self>) {
            match this.project().state.project() {
                StateProj::Calling { visit, .. } | StateProj::Saving { visit, .. } => {
                    visit.core.tell();
                }
            }
        }
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B> {
        Calling { #[pin] inner: F, visit: Visit },
        /// What the request changed goes to the store.
        Saving { save: Save, visit: Visit, response: Option<Response<B>> },
    }
}

type Save = Pin<Box<dyn Future<Output = Result<(), SessionError>> + Send>>;

impl<F, B> ResponseFuture<F, B> {
    pub(crate) fn new(inner: F, visit: Visit) -> Self {
        Self {
            state: State::Calling { inner, visit },
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Calling { inner, visit } => {
                    let polled = panic::catch_unwind(AssertUnwindSafe(|| inner.poll(cx)));
                    let response = match polled {
                        Ok(response) => ready!(response).inspect_err(|_| {
                            visit.core.tell();
                        })?,
                        Err(panicked) => return Poll::Ready(Ok(visit.survive(panicked))),
                    };
                    if !visit.has_to_save(&response) {
                        return Poll::Ready(Ok(visit.answer(response, Ok(()))));
                    }
                    let core = visit.core.clone();
                    State::Saving {
                        save: Box::pin(async move { core.finish().await }),
                        visit: visit.clone(),
                        response: Some(response),
                    }
                }
                StateProj::Saving {
                    save,
                    visit,
                    response,
                } => {
                    let saved = ready!(save.as_mut().poll(cx));
                    let response = response.take();
                    let response = response.expect("a future is not polled after it is done");
                    return Poll::Ready(Ok(visit.answer(response, saved)));
                }
            };
            state.set(next);
        }
    }
}

impl<F, B> fmt::Debug for ResponseFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Calling { .. } => "calling",
            State::Saving { .. } => "saving",
        };
        f.debug_tuple("ResponseFuture").field(&state).finish()
    }
}

impl Visit {
    /// A response that says that something went wrong changes nothing.
    fn has_to_save<B>(&self, response: &Response<B>) -> bool {
        let is_failed_call = self.grpc.is_some() && answer::has_failed(response.headers());
        let has_failed = response.status().is_server_error() || is_failed_call;
        !has_failed && self.core.has_to_finish()
    }

    /// The response as the client gets it.
    fn answer<B>(
        &self,
        response: Response<B>,
        saved: Result<(), SessionError>,
    ) -> Response<ResponseBody<B>> {
        let mut response = match saved {
            Ok(()) => response.map(ResponseBody::passing),
            Err(error) => {
                tracing::debug!(%error, "what a request changed in its session was not stored");
                answer::problem(error.status(), self.grpc).map(ResponseBody::own)
            }
        };
        self.tell(&mut response);
        response
    }

    /// The answer where the handler panicked after it had changed the client's ticket, which nobody else would
    /// tell the client. Otherwise the panic goes on.
    fn survive<B>(&self, panicked: Box<dyn Any + Send>) -> Response<ResponseBody<B>> {
        if self.core.state().issue == Issue::Nothing {
            panic::resume_unwind(panicked);
        }
        tracing::error!("a handler panicked after it had changed the ticket of its session");
        let problem = answer::problem(StatusCode::INTERNAL_SERVER_ERROR, self.grpc);
        let mut response = problem.map(ResponseBody::own);
        self.tell(&mut response);
        response
    }

    /// Adds what a client has to know of its session.
    fn tell<B>(&self, response: &mut Response<B>) {
        if self.core.is_touched() {
            answer::vary(&self.shared.transports, response.headers_mut());
            response.extensions_mut().insert(self.core.personal());
        }
        let issue = self.core.tell();
        if issue != Issue::Nothing {
            let now = self.shared.manager.place.now_millis();
            let by = &self.shared.transports[self.by];
            answer::issue(issue, by, now, response.headers_mut());
        }
    }
}
