//! A body that does what the test wrote down.

mod error;
mod step;

use std::{
    any::Any,
    cell::Cell,
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

pub use self::error::BodyError;
use self::step::Step;
use crate::Gate;

/// A body made of scripted frames, trailers, errors and waits.
///
/// It asks of a layer what real bodies ask: it is `Send` but neither `Sync` nor `Default` nor
/// `Clone`, and its error is [`BodyError`]. It says its exact length unless
/// [`unknown_length`](Self::unknown_length) is called, and it is at its end exactly when no more
/// frame, trailer or error is to come.
#[derive(Debug)]
pub struct ScriptedBody {
    steps: VecDeque<Step>,
    hint: Hint,
    guards: Guards,
    not_sync: PhantomData<Cell<()>>,
}

impl ScriptedBody {
    /// A body without frames, at its end from the start.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            steps: VecDeque::new(),
            hint: Hint::Exact,
            guards: Guards(Vec::new()),
            not_sync: PhantomData,
        }
    }

    /// A body of one frame.
    #[must_use]
    pub fn full(data: impl Into<Bytes>) -> Self {
        Self::empty().data(data)
    }

    /// A body of these frames.
    #[must_use]
    pub fn frames<D: Into<Bytes>>(frames: impl IntoIterator<Item = D>) -> Self {
        frames.into_iter().fold(Self::empty(), Self::data)
    }

    /// Adds a data frame.
    #[must_use]
    pub fn data(self, data: impl Into<Bytes>) -> Self {
        self.step(Step::Data(data.into()))
    }

    /// Adds trailers.
    #[must_use]
    pub fn trailers(self, trailers: HeaderMap) -> Self {
        self.step(Step::Trailers(trailers))
    }

    /// Breaks here with the [`BodyError`] of this number.
    #[must_use]
    pub fn error(self, number: u64) -> Self {
        self.step(Step::Error(number))
    }

    /// Pends here until the gate lets it pass.
    #[must_use]
    pub fn gate(self, gate: &Gate) -> Self {
        self.wait(gate.pass())
    }

    /// Pends here until the future is ready.
    #[must_use]
    pub fn wait(self, future: impl Future<Output = ()> + Send + 'static) -> Self {
        self.step(Step::Wait(Box::pin(future)))
    }

    /// Pends here once and asks to be polled again: one more place to be cancelled at.
    #[must_use]
    pub fn pend_once(self) -> Self {
        let mut pended = false;
        self.wait(poll_fn(move |cx| {
            if pended {
                return Poll::Ready(());
            }
            pended = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    /// Panics here when polled.
    #[must_use]
    pub fn panic(self) -> Self {
        self.step(Step::Panic)
    }

    /// Hides the length, as a stream does.
    #[must_use]
    pub fn unknown_length(mut self) -> Self {
        self.hint = Hint::Unknown;
        self
    }

    /// Gives the body something to hold until it is dropped, such as an in-flight guard.
    #[must_use]
    pub fn holding(mut self, guard: impl Any + Send) -> Self {
        self.guards.0.push(Box::new(guard));
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Option<Step>> {
        while let Some(Step::Wait(future)) = self.steps.front_mut() {
            ready!(future.as_mut().poll(cx));
            self.steps.pop_front();
        }
        Poll::Ready(self.steps.pop_front())
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(match ready!(self.poll_step(cx)) {
            None | Some(Step::Wait(_)) => None,
            Some(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Step::Panic) => panic!("scripted panic of a body"),
            Some(Step::Error(number)) => {
                self.steps.clear();
                Some(Err(BodyError::numbered(number)))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        !self.steps.iter().any(Step::is_visible)
    }

    fn size_hint(&self) -> SizeHint {
        match self.hint {
            Hint::Exact => SizeHint::with_exact(self.steps.iter().map(Step::len).sum()),
            Hint::Unknown => SizeHint::default(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Hint {
    Exact,
    Unknown,
}

struct Guards(Vec<Box<dyn Any + Send>>);

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} guards", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{HeaderMap, HeaderValue};
    use http_body::Body as _;
    use http_body_util::BodyExt as _;

    use super::ScriptedBody;
    use crate::Gate;

    #[tokio::test]
    async fn frames_and_trailers_come_as_scripted() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let mut body = ScriptedBody::frames(["ab", "c"]).trailers(trailers.clone());
        assert_eq!(body.size_hint().exact(), Some(3));
        for expected in ["ab", "c"] {
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), expected);
        }
        assert!(!body.is_end_stream(), "the trailers are still to come");
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_trailers().unwrap(), trailers);
        assert!(body.is_end_stream());
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn an_error_ends_the_body() {
        let mut body = ScriptedBody::full("ab")
            .error(7)
            .data("never")
            .unknown_length();
        assert_eq!(body.size_hint().upper(), None);
        body.frame().await.unwrap().unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap_err().number(), 7);
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_gate_holds_the_next_frame() {
        let gate = Gate::closed();
        let mut body = ScriptedBody::full("a").gate(&gate).data("b");
        body.frame().await.unwrap().unwrap();
        let rest = tokio::spawn(async move { body.frame().await.unwrap().unwrap() });
        crate::eventually(std::time::Duration::from_secs(5), || async {
            gate.waiters() == 1
        })
        .await;
        gate.open();
        assert_eq!(rest.await.unwrap().into_data().unwrap(), "b");
    }

    #[tokio::test]
    async fn pending_once_still_comes_to_the_frame() {
        let collected = ScriptedBody::empty()
            .pend_once()
            .data("a")
            .collect()
            .await
            .unwrap();
        assert_eq!(collected.to_bytes(), "a");
    }

    #[test]
    fn what_a_body_holds_is_dropped_with_it() {
        let guard = Arc::new(());
        let body = ScriptedBody::empty().holding(Arc::clone(&guard));
        assert_eq!(Arc::strong_count(&guard), 2);
        drop(body);
        assert_eq!(Arc::strong_count(&guard), 1);
    }
}
