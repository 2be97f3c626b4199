//! The service: a plan for each request, and a hit answered on the spot.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_keep_store::{Outcome, OutcomeCell, Timestamp, Told};
use tower_service::Service;

use crate::{
    body::ResponseBody,
    engine::{
        entry::{Entry, Usability},
        strict::Ahead,
    },
    fetch::{Fetch, Origin, PartFetch, Pending, Refresh, tell},
    future::{Note, ResponseFuture},
    http::{
        answer::{self, Asked},
        entry::Stored,
        request::{Lookup, Plan, plan},
        status::{Forward, Report},
    },
    nesting::Within,
    personal::is_looked_at,
    shared::{Found, Shared, State, flight_key},
    strict::strict,
    unsafe_method::invalidating,
};

/// What [`CacheLayer`](crate::CacheLayer) makes of a service.
///
/// The inner service must be `Clone + Send + 'static` with futures that are `Send`; its bodies
/// [`http_body::Body`]s, `Send` and `'static`, with errors that are `Send`. (Around a service that is not
/// `Clone`, put a `tower::buffer::Buffer`.)
///
/// Always ready: a hit is answered while the origin is full. What goes to the origin waits, in the
/// response future, until a clone of the inner service is ready, and is then called on that clone.
#[derive(Clone, Debug)]
pub struct Cache<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Cache<S> {
    pub(crate) fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Cache<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqBody: Body + Send + 'static,
    ResBody: Body + Send + 'static,
    ResBody::Error: Send,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody, ResBody>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let has_body = !is_empty(request.body());
        let (head, body) = request.into_parts();
        if Within::is(&self.shared.engine, &head.extensions) {
            let note = Note::Class(self.shared.storing.class.clone());
            return self.pass(Request::from_parts(head, body), note);
        }
        let cell = head.extensions.get::<OutcomeCell>().cloned();
        let heeds = self.shared.storing.policy.heeds_requests;
        let lookup = match plan(&head, has_body, heeds) {
            Plan::Lookup(_) if self.shared.bypasses(&head) => {
                let note = self.bypass("bypass-when", cell);
                return self.pass(Request::from_parts(head, body), note);
            }
            Plan::Lookup(lookup) => self.shared.heeded(lookup, &head),
            Plan::Invalidate if self.shared.invalidate_on_unsafe => {
                let request = Request::from_parts(head, body);
                return invalidating(self.shared.clone(), self.inner.clone(), request, cell);
            }
            Plan::Bypass | Plan::Invalidate => {
                let note = self.bypass("request", cell);
                return self.pass(Request::from_parts(head, body), note);
            }
        };
        let Some(key) = self.shared.keys.key(&head) else {
            let note = self.bypass("no-key", cell);
            return self.pass(Request::from_parts(head, body), note);
        };
        let request = Pending {
            head,
            body,
            lookup,
            cell,
        };
        if self.shared.catches_up() {
            return strict(self.clone(), request, key);
        }
        self.look_up(request, key, None)
    }
}

impl<S> Cache<S> {
    /// Answers from the first level on the spot, or begins to look further.
    pub(crate) fn look_up<ReqBody, ResBody>(
        &self,
        request: Pending<ReqBody>,
        key: Vec<u8>,
        ahead: Option<Ahead>,
    ) -> ResponseFuture<S, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Send,
        ReqBody: Body + Send + 'static,
        ResBody: Body + Send + 'static,
        ResBody::Error: Send,
    {
        let Pending {
            head,
            body,
            lookup,
            cell,
        } = request;
        let now = self.shared.engine.present();
        let found = self.shared.find(key, &head.headers, &lookup.demands, now);
        let now = now.time;
        let asked = Asked::of(&lookup, &head.headers);
        let answered = match &found.state {
            State::Present(entry, Usability::Fresh) if admits(entry, &lookup) => {
                let response = hit(&self.shared, entry, asked, Outcome::Hit, now);
                if !self.shared.engine.is_due(entry, now) {
                    tell(cell.as_ref(), told(entry, Outcome::Hit));
                    return ResponseFuture::ready(response);
                }
                Some((entry.clone(), Outcome::Hit, response))
            }
            State::Present(entry, Usability::Stale) if admits(entry, &lookup) => {
                let response = hit(&self.shared, entry, asked, Outcome::Stale, now);
                Some((entry.clone(), Outcome::Stale, response))
            }
            _ => None,
        };
        let parts = self.shared.storing.policy.stores_parts;
        if lookup.ranged && answered.is_none() && !parts {
            let note = self.bypass("range", cell);
            return self.pass(Request::from_parts(head, body), note);
        }
        let request = Pending {
            head,
            body,
            lookup,
            cell,
        };
        let origin = Origin::new(self.inner.clone());
        match answered {
            Some((entry, outcome, response)) => {
                let cell = request.cell.clone();
                let refreshes = self.refresh(&entry, &found, origin, request);
                let told = told(&entry, outcome).origin_calls(refreshes.into());
                tell(cell.as_ref(), told);
                ResponseFuture::ready(response)
            }
            None if request.lookup.ranged => {
                PartFetch::new(self.shared.clone(), origin, request, found).into_future()
            }
            None => {
                let fetch = Fetch::new(self.shared.clone(), origin, request, found);
                fetch.ahead(ahead).into_future()
            }
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn pass<ReqBody, ResBody>(
        &self,
        request: Request<ReqBody>,
        note: Note,
    ) -> ResponseFuture<S, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
        ResBody: Body,
    {
        if let Note::Bypass {
            cell: Some(cell), ..
        } = &note
        {
            cell.calls_origin();
        }
        ResponseFuture::passing(self.inner.clone(), request, note)
    }

    pub(crate) fn bypass(&self, detail: &'static str, cell: Option<OutcomeCell>) -> Note {
        Note::Bypass {
            status: self.shared.status.clone(),
            hidden: self.shared.hidden.clone(),
            report: Report::Forward {
                why: Forward::Bypass,
                stored: false,
                detail: Some(detail),
            },
            cell,
        }
    }

    /// Fetches anew in the background what has just answered, with the request that it answered;
    /// unless somebody does, or a refresh failed just now. True if it begins.
    fn refresh<ReqBody, ResBody>(
        &self,
        entry: &Arc<Entry<Stored>>,
        found: &Found,
        origin: Origin<S>,
        request: Pending<ReqBody>,
    ) -> bool
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
        S::Future: Send,
        ReqBody: Body + Send + 'static,
        ResBody: Body + Send + 'static,
        ResBody::Error: Send,
    {
        let engine = &self.shared.engine;
        let leads = !request.lookup.head
            && refreshes(entry, &request)
            && engine.may_refresh(entry, engine.now());
        let flight = flight_key(&found.key, &request.lookup);
        let Some(lead) = leads.then(|| engine.lead_refresh(entry, &flight)).flatten() else {
            return false;
        };
        let resource = found.resource().to_vec();
        let shared = self.shared.clone();
        Refresh::new(shared, origin, request, entry.clone(), resource, lead).begin()
    }
}

/// Whether the entry is a response that this request may be answered with.
pub(crate) fn admits(entry: &Entry<Stored>, lookup: &Lookup) -> bool {
    entry
        .value
        .response()
        .is_some_and(|response| response.shared_with.admits(lookup.identified))
}

/// Whether the origin's answer to this request is likely to be one for all, like the entry.
pub(crate) fn refreshes<ReqBody>(entry: &Entry<Stored>, request: &Pending<ReqBody>) -> bool {
    let response = entry.value.response();
    let is_for_users = response.is_some_and(|response| response.shared_with.users);
    !is_looked_at(&request.head.extensions) && (is_for_users || !request.lookup.identified.user)
}

/// Answers from an entry that [admits](admits) the request.
pub(crate) fn hit<B: Body>(
    shared: &Shared,
    entry: &Entry<Stored>,
    asked: Asked<'_>,
    outcome: Outcome,
    now: Timestamp,
) -> Response<ResponseBody<B>> {
    let report = match outcome {
        Outcome::Collapsed => Report::Collapsed,
        _ => Report::Hit {
            ttl: answer::seconds_left(&entry.meta, now),
        },
    };
    let stored = entry
        .value
        .response()
        .expect("only responses are found usable");
    let fields = answer::fields(stored, &entry.meta, report, &shared.status, now);
    answer::from_stored(stored, asked, fields)
}

/// What is to be told of an answer from an entry: the origin took what it took when the entry was fetched,
/// wherever that was.
pub(crate) fn told(entry: &Entry<Stored>, outcome: Outcome) -> Told {
    Told::from(outcome).origin_time(entry.meta.cost)
}

fn is_empty(body: &impl Body) -> bool {
    body.is_end_stream() || body.size_hint().upper() == Some(0)
}
