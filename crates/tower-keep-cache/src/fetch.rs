//! The way of a request that the first level did not answer.
//!
//! Who comes first for a key leads: it asks the store, then the origin. Who comes meanwhile follows,
//! and is answered with what the leader brings, if that may be shared; else each goes on alone.

use std::sync::Arc;

use http::{HeaderMap, Request, Response, request::Parts, response};
use http_body::Body;
use tower::util::Oneshot;
use tower_keep_store::{Moment, Outcome, OutcomeCell, Stamp, Target, Timestamp};
use tower_service::Service;

use crate::{
    body::ResponseBody,
    engine::{
        entry::{Entry, Usability},
        flight::{Ending, Follow, Joined, Lead, Source},
        spawn,
    },
    fill::{Fill, FilledBy},
    future::{Led, ResponseFuture, Running},
    http::{
        answer::{self, Asked},
        entry::Stored,
        freshness::Times,
        request::Lookup,
        status::{Forward, Report},
        storing::Refusal,
        validation::is_conditional_at_origin,
    },
    service::{admits, hit},
    shared::{Found, Shared, State, flight_key},
    tee::Tee,
};

/// A request, and what is known of it.
#[derive(Debug)]
pub(crate) struct Pending<ReqBody> {
    pub(crate) head: Parts,
    pub(crate) body: ReqBody,
    pub(crate) lookup: Lookup,
    pub(crate) cell: Option<OutcomeCell>,
}

/// The inner service, to be called once.
#[derive(Debug)]
pub(crate) struct Origin<S>(S);

impl<S> Origin<S> {
    pub(crate) fn new(clone: S) -> Self {
        Self(clone)
    }
}

pub(crate) struct Fetch<S, ReqBody> {
    shared: Arc<Shared>,
    origin: Origin<S>,
    request: Pending<ReqBody>,
    found: Found,
    led: Led,
    /// When the request came.
    asked: Moment,
    /// What answers if the origin fails.
    fallback: Option<Arc<Entry<Stored>>>,
}

/// How a request goes on after the cache was asked.
enum Way {
    /// It is answered with this.
    Answer(Arc<Entry<Stored>>, Outcome),
    /// It is answered with this, which is stale, and then refreshes it.
    Refresh(Arc<Entry<Stored>>, Lead<Stored>),
    /// To the origin, for all who follow.
    Lead(Lead<Stored>),
    /// To the origin, for itself.
    Alone(Forward),
    /// Nowhere: it would be satisfied with the cache only.
    Nowhere,
}

impl<S, ReqBody, ResBody> Fetch<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Body + Send + 'static,
    ResBody: Body + Send + 'static,
    ResBody::Error: Send,
{
    pub(crate) fn new(
        shared: Arc<Shared>,
        origin: Origin<S>,
        request: Pending<ReqBody>,
        found: Found,
    ) -> Self {
        Self {
            asked: shared.engine.log().moment(),
            shared,
            origin,
            request,
            found,
            led: Led::default(),
            fallback: None,
        }
    }

    pub(crate) fn into_future(self) -> ResponseFuture<S, ReqBody, ResBody> {
        let led = self.led.clone();
        ResponseFuture::running(self.run(), led)
    }

    fn run(mut self) -> Running<ResBody, S::Error> {
        Box::pin(async move {
            match self.find_way().await {
                Way::Answer(entry, outcome) => Ok(self.answer(&entry, outcome)),
                Way::Refresh(stale, lead) => {
                    let response = self.answer(&stale, Outcome::Stale);
                    let fetch = self;
                    spawn(Refresh { fetch, stale, lead }.in_background());
                    Ok(response)
                }
                Way::Nowhere => {
                    set(self.request.cell.as_ref(), Outcome::Miss);
                    Ok(answer::not_cached(self.shared.status))
                }
                Way::Alone(why) => self.ask_origin(None, why).await,
                Way::Lead(lead) => {
                    let why = self.why_missed();
                    self.ask_origin(Some(lead), why).await
                }
            }
        })
    }

    /// Asks the first level, those who fetch already, and the store, until it is clear how to go on.
    async fn find_way(&mut self) -> Way {
        for _ in 0..MOST_ROUNDS {
            match &self.found.state {
                State::Present(entry, usability) => match usability {
                    // Present, usable, and not for this request.
                    _ if !admits(entry, &self.request.lookup) => {
                        return Way::Alone(Forward::Bypass);
                    }
                    Usability::Fresh => return Way::Answer(entry.clone(), Outcome::Hit),
                    Usability::Stale => return Way::Answer(entry.clone(), Outcome::Stale),
                    Usability::OnError => self.fallback = Some(entry.clone()),
                    Usability::Not => {}
                },
                State::Unshared => return self.alone(),
                State::Absent => {}
            }
            match self.join() {
                Some(Joined::Following(follow)) => {
                    if let Some(way) = self.follow(follow).await {
                        return way;
                    }
                }
                Some(Joined::Leading(lead)) => {
                    if let Some(way) = self.ask_store(Some(lead)).await {
                        return way;
                    }
                }
                None => {
                    if let Some(way) = self.ask_store(None).await {
                        return way;
                    }
                }
            }
            self.look_again();
        }
        self.alone()
    }

    /// Who may not lead follows if somebody does.
    fn join(&self) -> Option<Joined<Stored>> {
        let lookup = &self.request.lookup;
        let flights = &self.shared.engine.flights;
        let key = flight_key(&self.found.key, lookup);
        let leads = !lookup.head
            && !lookup.no_store
            && !lookup.only_if_cached
            && !is_conditional_at_origin(&self.request.head.headers);
        if leads {
            Some(flights.join(&key))
        } else {
            flights.follow(&key).map(Joined::Following)
        }
    }

    /// Nothing means: look again.
    async fn follow(&mut self, follow: Follow<Stored>) -> Option<Way> {
        match follow.wait().await {
            Ending::Landed(entry, source) => {
                let is_ours = entry.key[..] == self.found.key[..]
                    && self.is_for_us(&entry, source)
                    && admits(&entry, &self.request.lookup);
                let outcome = match source {
                    Source::Store => Outcome::Hit,
                    Source::Origin => Outcome::Collapsed,
                    Source::Stale => Outcome::Stale,
                };
                is_ours.then_some(Way::Answer(entry, outcome))
            }
            Ending::Released | Ending::OutOfPatience => Some(self.alone()),
            Ending::Abandoned => None,
        }
    }

    /// A stale entry stands in for an error; another one was fetched, and may answer all who asked
    /// before it was invalidated.
    fn is_for_us(&self, entry: &Entry<Stored>, source: Source) -> bool {
        let log = self.shared.engine.log();
        match source {
            Source::Stale => entry.is_valid(log),
            Source::Store | Source::Origin => entry.may_answer(log, self.asked),
        }
    }

    /// Nothing means: look again.
    async fn ask_store(&mut self, lead: Option<Lead<Stored>>) -> Option<Way> {
        let identified = self.request.lookup.identified;
        if lead.is_some() && identified.at_all() && self.is_unshared_for_identified() {
            return Some(self.alone());
        }
        match self.shared.engine.second(&self.found.key).await {
            Some((entry, usability)) => match (&entry.value, usability) {
                (Stored::Response(_), _) if !admits(&entry, &self.request.lookup) => {
                    Some(Way::Alone(Forward::Bypass))
                }
                (Stored::Response(_), Usability::Fresh) => {
                    if let Some(lead) = lead {
                        lead.land(entry.clone(), Source::Store);
                    }
                    Some(Way::Answer(entry, Outcome::Hit))
                }
                (Stored::Response(_), Usability::Stale) => Some(match lead {
                    Some(lead) => Way::Refresh(entry, lead),
                    None => Way::Answer(entry, Outcome::Stale),
                }),
                (Stored::Response(_), Usability::OnError) => {
                    self.fallback = Some(entry);
                    Some(self.lead_or_alone(lead))
                }
                // It has variants: the first level knows now, and finds the right one.
                (Stored::Variants(_), _) if !self.found.is_variant() => None,
                _ => Some(self.lead_or_alone(lead)),
            },
            None => Some(self.lead_or_alone(lead)),
        }
    }

    fn lead_or_alone(&self, lead: Option<Lead<Stored>>) -> Way {
        match lead {
            Some(lead) => {
                let _led_once = self.led.set(lead.flight().clone());
                Way::Lead(lead)
            }
            None => self.alone(),
        }
    }

    fn alone(&self) -> Way {
        if self.request.lookup.only_if_cached {
            Way::Nowhere
        } else {
            Way::Alone(self.why_missed())
        }
    }

    fn why_missed(&self) -> Forward {
        if self.fallback.is_some() {
            Forward::Stale
        } else if self.found.is_variant() {
            Forward::VaryMiss
        } else {
            Forward::UriMiss
        }
    }

    fn is_unshared_for_identified(&self) -> bool {
        let key = flight_key(&self.found.key, &self.request.lookup);
        let known = self.shared.engine.first(&key);
        known.is_some_and(|(entry, _)| entry.value == Stored::Unshared)
    }

    fn look_again(&mut self) {
        let resource = self.found.resource().to_vec();
        self.found = self.shared.find(resource, &self.request.head.headers);
    }

    fn answer(&self, entry: &Entry<Stored>, outcome: Outcome) -> Response<ResponseBody<ResBody>> {
        let asked = Asked {
            head: self.request.lookup.head,
            headers: &self.request.head.headers,
        };
        hit(
            &self.shared,
            entry,
            asked,
            outcome,
            self.request.cell.clone(),
        )
    }

    /// Calls the origin, and stores what it answers if it may be stored.
    async fn ask_origin(
        self,
        lead: Option<Lead<Stored>>,
        why: Forward,
    ) -> Result<Response<ResponseBody<ResBody>>, S::Error> {
        let Pending {
            head,
            body,
            lookup,
            cell,
        } = self.request;
        let mut asking = Asking {
            target: self.shared.keys.target(&head),
            headers: head.headers.clone(),
            stamp: self.shared.engine.log().stamp(),
            sent: self.shared.engine.now(),
            shared: self.shared,
            resource: self.found.resource().to_vec(),
            key: self.found.key,
            lookup,
            cell,
            fallback: self.fallback,
            why,
            lead,
        };
        let request = Request::from_parts(head, body);
        match Oneshot::new(self.origin.0, request).await {
            Ok(response) => Ok(asking.receive(response)),
            Err(error) => asking.fall_back().ok_or_else(|| {
                set(asking.cell.as_ref(), Outcome::Error);
                asking.release();
                error
            }),
        }
    }
}

/// What a refresh in the background needs of a fetch.
pub(crate) struct Refresh<S, ReqBody> {
    fetch: Fetch<S, ReqBody>,
    stale: Arc<Entry<Stored>>,
    lead: Lead<Stored>,
}

impl<S, ReqBody, ResBody> Fetch<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Body + Send + 'static,
    ResBody: Body + Send + 'static,
    ResBody::Error: Send,
{
    /// A fetch that nobody waits for, of what was answered stale.
    pub(crate) fn refreshing(
        shared: Arc<Shared>,
        origin: Origin<S>,
        request: Pending<ReqBody>,
        stale: Arc<Entry<Stored>>,
        resource: Vec<u8>,
        lead: Lead<Stored>,
    ) -> Refresh<S, ReqBody> {
        let key = stale.key.to_vec();
        let found = Found {
            resource: (key != resource).then_some(resource),
            key,
            state: State::Absent,
        };
        Refresh {
            fetch: Self::new(shared, origin, request, found),
            stale,
            lead,
        }
    }
}

impl<S, ReqBody> Refresh<S, ReqBody> {
    /// Looks into the store first: another process may have done it.
    pub(crate) async fn in_background<ResBody>(self)
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
        S::Future: Send,
        ReqBody: Body + Send + 'static,
        ResBody: Body + Send + 'static,
        ResBody::Error: Send,
    {
        let Self {
            mut fetch,
            stale,
            lead,
        } = self;
        let engine = fetch.shared.engine.clone();
        if let Some((entry, Usability::Fresh)) = engine.second(&stale.key).await {
            lead.land(entry, Source::Store);
            return;
        }
        stale.refresh_failed(engine.now());
        // Its body, dropped, is read to the end; then the new entry takes the stale one's place.
        // The request has its outcome already.
        fetch.request.cell = None;
        drop(fetch.ask_origin(Some(lead), Forward::Stale).await);
    }
}

/// A question that is with the origin.
struct Asking {
    shared: Arc<Shared>,
    key: Vec<u8>,
    resource: Vec<u8>,
    target: Option<Target>,
    headers: HeaderMap,
    lookup: Lookup,
    cell: Option<OutcomeCell>,
    stamp: Stamp,
    sent: Timestamp,
    why: Forward,
    lead: Option<Lead<Stored>>,
    fallback: Option<Arc<Entry<Stored>>>,
}

impl Asking {
    /// Takes the answer in: to the client it goes in any case.
    fn receive<B>(&mut self, response: Response<B>) -> Response<ResponseBody<B>>
    where
        B: Body + Send + 'static,
        B::Error: Send,
    {
        // The codes that RFC 5861 §4 names.
        if matches!(response.status().as_u16(), 500 | 502 | 503 | 504)
            && let Some(stale) = self.fall_back()
        {
            return stale;
        }
        set(self.cell.as_ref(), self.outcome());
        let (head, body) = response.into_parts();
        match self.decide(&head) {
            Ok(fill) => self.finish(head, ResponseBody::storing(Tee::new(body, fill)), None),
            Err(refusal) => {
                self.refuse(refusal);
                self.finish(head, ResponseBody::passing(body), Some(refusal))
            }
        }
    }

    fn decide(&mut self, head: &response::Parts) -> Result<Fill, Refusal> {
        let times = Times {
            sent: self.sent,
            received: self.shared.engine.now(),
        };
        // A response to HEAD is not one to GET (RFC 9110 §9.3.2).
        if self.lookup.head {
            return Err(Refusal::Status);
        }
        let plan = self.shared.storing.decide(&self.lookup, head, times)?;
        let request = FilledBy {
            key: &self.resource,
            target: self.target,
            headers: &self.headers,
            stamp: self.stamp,
            times,
        };
        let shared = self.shared.clone();
        Ok(Fill::new(shared, self.lead.take(), plan, request, head))
    }

    fn refuse(&mut self, refusal: Refusal) {
        if refusal == Refusal::UnknownClass {
            tracing::warn!("a response names a class that is not registered: not stored");
        }
        if refusal.is_lasting() {
            let key = flight_key(&self.key, &self.lookup);
            let now = self.shared.engine.now();
            self.shared.mark_unshared(key, self.stamp, now);
        }
        self.release();
    }

    fn finish<B: Body>(
        &self,
        head: response::Parts,
        body: ResponseBody<B>,
        refusal: Option<Refusal>,
    ) -> Response<ResponseBody<B>> {
        let mut response = Response::from_parts(head, body);
        let report = Report::Forward {
            why: self.why,
            stored: refusal.is_none(),
            detail: refusal.map(Refusal::as_str),
        };
        self.shared.status.write(report, response.headers_mut());
        response
    }

    /// The stale response in place of the origin's error, for all who wait.
    fn fall_back<B: Body>(&mut self) -> Option<Response<ResponseBody<B>>> {
        let entry = self.fallback.clone()?;
        if !entry.is_valid(self.shared.engine.log()) {
            return None;
        }
        let asked = Asked {
            head: self.lookup.head,
            headers: &self.headers,
        };
        let response = hit(
            &self.shared,
            &entry,
            asked,
            Outcome::Stale,
            self.cell.clone(),
        );
        if let Some(lead) = self.lead.take() {
            lead.land(entry, Source::Stale);
        }
        Some(response)
    }

    fn outcome(&self) -> Outcome {
        match self.why {
            Forward::Bypass | Forward::Method => Outcome::Bypass,
            Forward::UriMiss | Forward::VaryMiss | Forward::Stale => Outcome::Miss,
        }
    }

    fn release(&mut self) {
        if let Some(lead) = self.lead.take() {
            lead.release();
        }
    }
}

pub(crate) fn set(cell: Option<&OutcomeCell>, outcome: Outcome) {
    if let Some(cell) = cell {
        cell.set(outcome);
    }
}

/// How often a request looks again when what it waited for was not for it; then it goes alone.
const MOST_ROUNDS: usize = 4;
