//! The response future: it polls, and decides nothing.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::timeout;
use tower::util::Oneshot;
use tower_keep_store::{Outcome, OutcomeCell};
use tower_service::Service;

use crate::{
    body::ResponseBody,
    class::NamedClass,
    engine::{
        background::{Background, Task},
        flight::Flight,
    },
    fetch::tell,
    http::{
        entry::Stored,
        labels::{Hidden, hide},
        reporter::Reporter,
        status::Report,
    },
    nesting::RouteClass,
};

/// The work that only some requests need, and that may go on without its client.
pub(crate) type Running<B, E> =
    Pin<Box<dyn Future<Output = Result<Response<ResponseBody<B>>, E>> + Send>>;

/// Where the work leaves the flight that it leads, once it leads one.
pub(crate) type Led = Arc<OnceLock<Arc<Flight<Stored>>>>;

pin_project! {
    /// The future of [`Cache`](crate::Cache)'s responses.
    pub struct ResponseFuture<S, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
        ResBody: Body,
    {
        #[pin]
        state: FutureState<S, ReqBody, ResBody, S::Error>,
    }
}

pin_project! {
    #[project = StateProj]
    enum FutureState<S, ReqBody, ResBody, E>
    where
        S: Service<Request<ReqBody>>,
        ResBody: Body,
    {
        Ready { response: Option<Response<ResponseBody<ResBody>>> },
        Passing {
            #[pin]
            inner: Oneshot<S, Request<ReqBody>>,
            note: Note,
        },
        Running { work: Detaching<ResBody, E> },
    }
}

impl<S, ReqBody, ResBody> ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    pub(crate) fn ready(response: Response<ResponseBody<ResBody>>) -> Self {
        Self {
            state: FutureState::Ready {
                response: Some(response),
            },
        }
    }

    pub(crate) fn passing(inner: S, request: Request<ReqBody>, note: Note) -> Self {
        Self {
            state: FutureState::Passing {
                inner: Oneshot::new(inner, request),
                note,
            },
        }
    }

    pub(crate) fn running(
        work: Running<ResBody, S::Error>,
        led: Led,
        patience: Duration,
        background: Background,
    ) -> Self
    where
        S: 'static,
        ReqBody: 'static,
        ResBody: 'static,
    {
        Self {
            state: FutureState::Running {
                work: Detaching {
                    work: Some(work),
                    detach: detach::<ResBody, S::Error>,
                    led,
                    patience,
                    background,
                },
            },
        }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Ready { response } => Poll::Ready(Ok(response
                .take()
                .expect("a future is not polled after it is done"))),
            StateProj::Passing { inner, note } => {
                let mut result = ready!(inner.poll(cx));
                note.write(&mut result);
                Poll::Ready(result.map(|response| response.map(ResponseBody::passing)))
            }
            StateProj::Running { work } => work.poll(cx),
        }
    }
}

impl<S, ReqBody, ResBody> fmt::Debug for ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
    ResBody: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            FutureState::Ready { .. } => "ready",
            FutureState::Passing { .. } => "passing",
            FutureState::Running { .. } => "running",
        };
        f.debug_tuple("ResponseFuture").field(&state).finish()
    }
}

/// Work that goes on in the background if its client leaves while others wait for it.
struct Detaching<B: Body, E> {
    work: Option<Running<B, E>>,
    /// Known to be possible where the work was made; a destructor may not ask for it.
    detach: fn(Running<B, E>, Duration, &Background),
    led: Led,
    /// How long it may go on without its client.
    patience: Duration,
    background: Background,
}

impl<B: Body, E> Detaching<B, E> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<ResponseBody<B>>, E>> {
        let work = self
            .work
            .as_mut()
            .expect("a future is not polled after it is done");
        let response = ready!(work.as_mut().poll(cx));
        self.work = None;
        Poll::Ready(response)
    }
}

impl<B: Body, E> Drop for Detaching<B, E> {
    fn drop(&mut self) {
        let is_followed = self.led.get().is_some_and(|flight| flight.is_followed());
        if let Some(work) = self.work.take()
            && is_followed
        {
            (self.detach)(work, self.patience, &self.background);
        }
    }
}

fn detach<B: Body + 'static, E: 'static>(
    work: Running<B, E>,
    patience: Duration,
    background: &Background,
) {
    background.spawn(Task::Refresh, async move {
        // The body, dropped, is read to its end by its own means.
        drop(timeout(patience, work).await);
    });
}

/// What is noted of a request that passes by.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// In the response's fields, and in the request's cell.
    Bypass {
        status: Reporter,
        hidden: Hidden,
        report: Report,
        cell: Option<OutcomeCell>,
    },
    /// Only the class of its route: the same layer has it in hand further out.
    Class(Option<Arc<NamedClass>>),
}

impl Note {
    fn write<B, E>(&mut self, result: &mut Result<Response<B>, E>) {
        match self {
            Self::Bypass {
                status,
                hidden,
                report,
                cell,
            } => {
                tell(cell.as_ref(), passed(result).into());
                if let Ok(response) = result {
                    hide(hidden, response.headers_mut());
                    status.write(*report, response.headers_mut());
                }
            }
            Self::Class(class) => {
                if let (Ok(response), Some(class)) = (result, class.take()) {
                    RouteClass::leave(class, response.extensions_mut());
                }
            }
        }
    }
}

/// What became of a request that the cache was not asked about.
pub(crate) fn passed<T, E>(result: &Result<T, E>) -> Outcome {
    match result {
        Ok(_) => Outcome::Bypass,
        Err(_) => Outcome::Error,
    }
}
