//! The service behind the layer under test.

mod error;
mod in_flight;

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use http::{HeaderMap, Method, Request, Response, Uri};
use tower_service::Service;

pub use self::{
    error::OriginError,
    in_flight::{InFlight, InFlightGuard},
};
use crate::ScriptedBody;

/// The future of an [`Origin`].
pub type OriginFuture =
    Pin<Box<dyn Future<Output = Result<Response<ScriptedBody>, OriginError>> + Send>>;

/// A service that answers as the test says, and remembers what it was asked.
///
/// The handler is an ordinary async closure: it can wait at a [`Gate`](crate::Gate), read the
/// request's body, fail or panic. Clones share the handler and the record.
///
/// ```
/// use http::{Request, Response};
/// use tower_keep_test_support::{Gate, Origin, ScriptedBody};
///
/// let gate = Gate::closed();
/// let at = gate.clone();
/// let origin = Origin::new(move |_: Request<ScriptedBody>| {
///     let passed = at.pass();
///     async move {
///         passed.await;
///         Ok(Response::new(ScriptedBody::full("slow, until the gate opens")))
///     }
/// });
/// assert_eq!(origin.calls(), 0);
/// ```
pub struct Origin<B> {
    handler: Arc<dyn Fn(Request<B>) -> OriginFuture + Send + Sync>,
    record: Arc<Mutex<Vec<Seen>>>,
    in_flight: InFlight,
}

impl<B> Origin<B> {
    /// An origin that answers with this handler.
    pub fn new<H, F>(handler: H) -> Self
    where
        H: Fn(Request<B>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Response<ScriptedBody>, OriginError>> + Send + 'static,
    {
        Self {
            handler: Arc::new(move |request| Box::pin(handler(request))),
            record: Arc::default(),
            in_flight: InFlight::default(),
        }
    }

    /// An origin that gives these answers, one for each call, in order.
    ///
    /// # Panics
    ///
    /// In the call after the last answer: a test that expected no such call should hear of it.
    pub fn scripted(
        answers: impl IntoIterator<Item = Result<Response<ScriptedBody>, OriginError>>,
    ) -> Self {
        let answers = Mutex::new(answers.into_iter().collect::<VecDeque<_>>());
        Self::new(move |_| {
            let answer = unpoisoned(&answers).pop_front();
            async move { answer.expect("the script of the origin has no more answers") }
        })
    }

    /// How often it was called.
    #[must_use]
    pub fn calls(&self) -> usize {
        unpoisoned(&self.record).len()
    }

    /// What it was asked, in the order of the calls.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        unpoisoned(&self.record).clone()
    }

    /// Answers in the making, and bodies not yet dropped.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.count()
    }
}

impl<B> Service<Request<B>> for Origin<B> {
    type Response = Response<ScriptedBody>;
    type Error = OriginError;
    type Future = OriginFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OriginError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> OriginFuture {
        unpoisoned(&self.record).push(Seen::of(&request));
        let guard = self.in_flight.enter();
        let answer = (self.handler)(request);
        Box::pin(async move { Ok(answer.await?.map(|body| body.holding(guard))) })
    }
}

impl<B> Clone for Origin<B> {
    fn clone(&self) -> Self {
        Self {
            handler: Arc::clone(&self.handler),
            record: Arc::clone(&self.record),
            in_flight: self.in_flight.clone(),
        }
    }
}

impl<B> fmt::Debug for Origin<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin")
            .field("calls", &self.calls())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

/// What a request looked like when it reached the origin.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: Method,
    /// The whole URI.
    pub uri: Uri,
    /// All fields.
    pub headers: HeaderMap,
}

impl Seen {
    fn of<B>(request: &Request<B>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        }
    }
}

/// A handler may panic on purpose: the record stays readable.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use http_body_util::BodyExt as _;
    use tower_service::Service as _;

    use super::{Origin, OriginError};
    use crate::ScriptedBody;

    fn get(uri: &str) -> Request<ScriptedBody> {
        Request::get(uri).body(ScriptedBody::empty()).unwrap()
    }

    #[tokio::test]
    async fn scripted_answers_come_in_order_and_calls_are_recorded() {
        let mut origin = Origin::scripted([
            Ok(Response::new(ScriptedBody::full("first"))),
            Err(OriginError::numbered(2)),
        ]);
        let first = origin.call(get("/a")).await.unwrap();
        assert_eq!(
            first.into_body().collect().await.unwrap().to_bytes(),
            "first"
        );
        assert_eq!(origin.call(get("/b")).await.unwrap_err().number(), 2);
        let paths: Vec<_> = origin
            .seen()
            .iter()
            .map(|seen| seen.uri.to_string())
            .collect();
        assert_eq!(paths, ["/a", "/b"]);
        assert_eq!(origin.calls(), 2);
    }

    #[tokio::test]
    async fn a_call_is_in_flight_until_its_body_is_dropped() {
        let mut origin = Origin::new(async |_| Ok(Response::new(ScriptedBody::full("x"))));
        let answer = origin.call(get("/"));
        assert_eq!(origin.in_flight(), 1);
        let response = answer.await.unwrap();
        assert_eq!(origin.in_flight(), 1);
        drop(response);
        assert_eq!(origin.in_flight(), 0);
    }

    #[tokio::test]
    async fn a_dropped_call_is_no_longer_in_flight() {
        let mut origin = Origin::new(async |_| Ok(Response::new(ScriptedBody::full("x"))));
        drop(origin.call(get("/")));
        assert_eq!(origin.in_flight(), 0);
    }
}
