use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use tower_keep_test_support::ScriptedBody;

use crate::{Broken, Wraps, kind::Kind, rules, stacks};

/// The rules that a layer must keep, and what may differ from layer to layer.
///
/// Each check makes a layer of its own with the given function and asks for a URI of its own, so
/// that nothing that a layer remembers leaks from one check into another.
pub struct Contract<L> {
    make: Box<dyn Fn() -> L>,
    pub(crate) readiness: Readiness,
    pub(crate) patience: Duration,
    pub(crate) added_to_requests: Vec<HeaderName>,
    pub(crate) added_to_responses: Vec<HeaderName>,
    request_fields: HeaderMap,
    response_fields: HeaderMap,
    next: AtomicU64,
}

impl<L> Contract<L> {
    /// The contract of the layers that this function makes.
    pub fn new(make: impl Fn() -> L + 'static) -> Self
    where
        L: Wraps<ScriptedBody>,
    {
        Self {
            make: Box::new(make),
            readiness: Readiness::PassedThrough,
            patience: Duration::from_secs(5),
            added_to_requests: Vec::new(),
            added_to_responses: Vec::new(),
            request_fields: HeaderMap::new(),
            response_fields: HeaderMap::new(),
            next: AtomicU64::new(1),
        }
    }

    /// Says what the layer does with readiness; default [`Readiness::PassedThrough`].
    #[must_use]
    pub fn readiness(mut self, readiness: Readiness) -> Self {
        self.readiness = readiness;
        self
    }

    /// How long something may take that should come at once; default 5 s.
    ///
    /// A limit on failure: a layer that keeps the rules never waits for it.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Allows the layer to add this field to what the inner service sees.
    #[must_use]
    pub fn adds_to_requests(mut self, name: HeaderName) -> Self {
        self.added_to_requests.push(name);
        self
    }

    /// Allows the layer to add this field to what the client sees.
    #[must_use]
    pub fn adds_to_responses(mut self, name: HeaderName) -> Self {
        self.added_to_responses.push(name);
        self
    }

    /// Gives every request of the suite this field: a session's cookie, say.
    #[must_use]
    pub fn request_field(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.request_fields.append(name, value);
        self
    }

    /// Gives every response of the probe this field: `Cache-Control: max-age=60`, say, to check a
    /// cache where it stores, and not only where it looks on.
    #[must_use]
    pub fn response_field(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.response_fields.append(name, value);
        self
    }

    /// Checks every rule that needs no network.
    ///
    /// # Panics
    ///
    /// With the list of all broken rules, if there is one.
    pub async fn run(&self)
    where
        L: Wraps<ScriptedBody>,
    {
        let broken = self.broken().await;
        assert!(broken.is_empty(), "{}", listed(&broken));
    }

    /// The rules that the layer breaks, among those that need no network.
    pub async fn broken(&self) -> Vec<Broken>
    where
        L: Wraps<ScriptedBody>,
    {
        let mut broken = rules::readiness::all(self).await;
        broken.extend(rules::cancellation::all(self).await);
        broken.extend(rules::bodies::all(self).await);
        broken.extend(rules::errors::all(self).await);
        broken.extend(rules::messages::all(self).await);
        broken
    }

    /// Runs the layer in axum, in a plain hyper server and in a tonic server, over real sockets.
    ///
    /// # Panics
    ///
    /// With the list of all broken rules, if there is one.
    pub async fn run_on_stacks(&self)
    where
        L: stacks::OnStacks,
    {
        let broken = self.broken_on_stacks().await;
        assert!(broken.is_empty(), "{}", listed(&broken));
    }

    /// The rules that the layer breaks over real sockets.
    pub async fn broken_on_stacks(&self) -> Vec<Broken>
    where
        L: stacks::OnStacks,
    {
        let kept = [
            stacks::on_axum(self).await,
            stacks::on_hyper(self).await,
            stacks::on_tonic(self).await,
        ];
        kept.into_iter().filter_map(Result::err).collect()
    }

    pub(crate) fn layer(&self) -> L {
        (self.make)()
    }

    /// A request of this kind for a URI that was never asked for before.
    pub(crate) fn request(&self, kind: Kind) -> Request<ScriptedBody> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.request_for(kind, &format!("/contract/{number}?n={number}"))
    }

    pub(crate) fn request_for(&self, kind: Kind, uri: &str) -> Request<ScriptedBody> {
        let mut request = Request::new(kind.body());
        *request.method_mut() = kind.method();
        *request.uri_mut() = uri.parse().expect("the suite's URIs are valid");
        *request.headers_mut() = self.request_fields.clone();
        let host = HeaderValue::from_static("contract.test");
        request.headers_mut().insert(header::HOST, host);
        kind.mark(&mut request);
        request
    }

    /// A response as the probe gives it, before a check adds its own.
    pub(crate) fn response(&self, body: ScriptedBody) -> Response<ScriptedBody> {
        response_with(&self.response_fields, body)
    }

    /// The same, as something that a handler can own.
    pub(crate) fn responder(
        &self,
    ) -> impl Fn(ScriptedBody) -> Response<ScriptedBody> + Clone + Send + Sync + 'static + use<L>
    {
        let fields = self.response_fields.clone();
        move |body| response_with(&fields, body)
    }
}

impl<L> fmt::Debug for Contract<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contract")
            .field("readiness", &self.readiness)
            .field("patience", &self.patience)
            .field("added_to_requests", &self.added_to_requests)
            .field("added_to_responses", &self.added_to_responses)
            .finish_non_exhaustive()
    }
}

/// What a layer's `poll_ready` says of the inner service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The layered service is ready when the inner service is.
    PassedThrough,
    /// The layered service is always ready; the inner one is made ready in the response future, so
    /// that an answer that does not need it is given while it is full.
    Always,
}

fn response_with(fields: &HeaderMap, body: ScriptedBody) -> Response<ScriptedBody> {
    let mut response = Response::new(body);
    *response.headers_mut() = fields.clone();
    response
}

fn listed(broken: &[Broken]) -> String {
    let lines = broken.iter().map(|rule| format!("\n  - {rule}"));
    format!(
        "the layer breaks {} rules:{}",
        broken.len(),
        lines.collect::<String>()
    )
}
