//! The response future: it polls, and decides nothing.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_keep_store::ResponseBody;
use tower_service::Service;

use crate::{deciding::Deciding, limits::Limits, note::Note, service::refuse, verdict::Verdict};

pin_project! {
    /// The future of [`RateLimit`](crate::RateLimit)'s responses.
    pub struct ResponseFuture<S, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody, ResBody, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    #[project_replace = StateTaken]
    enum State<S, ReqBody, ResBody, F> {
        Deciding { pending: Box<Pending<S, ReqBody>> },
        Calling { #[pin] inner: F, note: Option<Note> },
        Ready { response: Response<ResponseBody<ResBody>> },
        Done,
    }
}

/// What goes on once there is a verdict: the instance that was readied, with its request. In a box: it is larger
/// than all else, and most requests are decided without it.
struct Pending<S, ReqBody> {
    deciding: Deciding,
    limits: Arc<Limits>,
    inner: S,
    request: Request<ReqBody>,
}

impl<S, ReqBody, ResBody> ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    pub(crate) fn deciding(
        deciding: Deciding,
        limits: Arc<Limits>,
        inner: S,
        request: Request<ReqBody>,
    ) -> Self {
        let pending = Box::new(Pending {
            deciding,
            limits,
            inner,
            request,
        });
        Self {
            state: State::Deciding { pending },
        }
    }

    pub(crate) fn calling(inner: S::Future, note: Option<Note>) -> Self {
        Self {
            state: State::Calling { inner, note },
        }
    }

    pub(crate) fn ready(response: Response<ResponseBody<ResBody>>) -> Self {
        Self {
            state: State::Ready { response },
        }
    }
}

impl<S, ReqBody> Pending<S, ReqBody> {
    /// Answers, or asks the inner service.
    fn go_on<ResBody: Body>(self, verdict: Option<Verdict>) -> State<S, ReqBody, ResBody, S::Future>
    where
        S: Service<Request<ReqBody>>,
    {
        let Self {
            limits,
            mut inner,
            request,
            ..
        } = self;
        let (mut head, body) = request.into_parts();
        if let Some(verdict) = &verdict
            && verdict.status.refusal.is_some()
        {
            let response = refuse(&limits, &verdict.status, &head);
            return State::Ready { response };
        }
        let note = verdict.map(|verdict| Note::take(&limits, verdict, &mut head.extensions));
        State::Calling {
            inner: inner.call(Request::from_parts(head, body)),
            note,
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
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Deciding { pending } => {
                    let verdict = ready!(Pin::new(&mut pending.deciding).poll(cx));
                    let StateTaken::Deciding { pending } =
                        state.as_mut().project_replace(State::Done)
                    else {
                        unreachable!("it was deciding just now");
                    };
                    state.set(pending.go_on(verdict));
                }
                StateProj::Calling { inner, note } => {
                    let result = ready!(inner.poll(cx));
                    let note = note.take();
                    return Poll::Ready(result.map(|response| match note {
                        Some(note) => note.write(response),
                        None => response.map(ResponseBody::passing),
                    }));
                }
                StateProj::Ready { .. } | StateProj::Done => {
                    let StateTaken::Ready { response } =
                        state.as_mut().project_replace(State::Done)
                    else {
                        panic!("a future is not polled after it is done");
                    };
                    return Poll::Ready(Ok(response));
                }
            }
        }
    }
}

impl<S, ReqBody, ResBody> fmt::Debug for ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Deciding { .. } => "deciding",
            State::Calling { .. } => "calling",
            State::Ready { .. } => "ready",
            State::Done => "done",
        };
        f.debug_tuple("ResponseFuture").field(&state).finish()
    }
}
