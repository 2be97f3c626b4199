//! The way of a request that the first level did not answer.
//!
//! Who comes first for a key leads: it asks the store, then the origin. Who comes meanwhile follows,
//! and is answered with what the leader brings, if that may be shared; else each goes on alone.

use std::{mem, sync::Arc};

use http::{Request, Response, request::Parts};
use http_body::Body;
use tower::util::Oneshot;
use tower_keep_store::{Moment, Outcome, OutcomeCell, Told};
use tower_service::Service;

use crate::{
    body::ResponseBody,
    engine::{
        entry::{Entry, Usability},
        flight::{Joined, Lead, Source},
        lease::Seen,
        strict::Ahead,
    },
    future::{Led, ResponseFuture, Running},
    http::{
        answer::{self, Asked},
        entry::Stored,
        request::Lookup,
        status::Forward,
        validation::{ask_for_validation, is_conditional_at_origin},
    },
    nesting::Within,
    personal::{Personal, is_looked_at},
    service::{admits, hit, refreshes, told},
    shared::{Found, Shared, State, flight_key},
};

use self::{asking::Asking, renewal::can_be_validated};
pub(crate) use self::{part::PartFetch, refresh::Refresh};

mod asking;
mod completing;
mod contending;
mod following;
mod head;
mod part;
mod refresh;
mod renewal;
mod timed;

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
    /// What is past its time, and may be confirmed by the origin.
    known: Option<Arc<Entry<Stored>>>,
    /// What the store was asked for while the request caught up with the log.
    ahead: Option<Ahead>,
    /// What the store had when it was last asked.
    seen: Option<Seen>,
    /// Whether nobody waits for it.
    is_unattended: bool,
}

/// How a request goes on after the cache was asked.
enum Way {
    /// It is answered with this.
    Answer(Arc<Entry<Stored>>, Outcome),
    /// It is answered with this, and then refreshes it.
    Refresh(Arc<Entry<Stored>>, Outcome, Lead<Stored>),
    /// To the origin, for all who follow.
    Lead(Lead<Stored>),
    /// To the origin, for itself.
    Alone(Forward),
    /// Nowhere: it would be satisfied with the cache only.
    Nowhere,
    /// Nowhere: the origin took too long for who was there before.
    TimedOut,
}

/// What was made of what the store had.
enum Heeded {
    Go(Way),
    /// Look again: it has variants.
    Again,
    /// Nothing that answers.
    Miss,
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
            known: None,
            ahead: None,
            seen: None,
            is_unattended: false,
        }
    }

    pub(crate) fn ahead(mut self, ahead: Option<Ahead>) -> Self {
        self.ahead = ahead;
        self
    }

    pub(crate) fn into_future(self) -> ResponseFuture<S, ReqBody, ResBody> {
        let led = self.led.clone();
        let patience = self.shared.patience;
        let background = self.shared.engine.background.clone();
        ResponseFuture::running(self.run(), led, patience, background)
    }

    fn run(mut self) -> Running<ResBody, S::Error> {
        Box::pin(async move {
            match self.find_way().await {
                Way::Answer(entry, outcome) => {
                    tell(self.request.cell.as_ref(), told(&entry, outcome));
                    Ok(self.answer(&entry, outcome))
                }
                Way::Refresh(entry, outcome, lead) => {
                    let response = self.answer(&entry, outcome);
                    let cell = self.request.cell.clone();
                    let told = told(&entry, outcome);
                    let seen = self.seen;
                    let refresh = Refresh {
                        fetch: self,
                        entry,
                        lead,
                        seen,
                    };
                    let begins = refresh.begin();
                    tell(cell.as_ref(), told.origin_calls(begins.into()));
                    Ok(response)
                }
                Way::Nowhere => {
                    // Not a miss: nothing could be fetched for it.
                    tell(self.request.cell.as_ref(), Outcome::Rejected.into());
                    Ok(answer::not_cached(&self.shared.status))
                }
                Way::TimedOut => {
                    tell(self.request.cell.as_ref(), Outcome::Error.into());
                    let why = self.why_missed();
                    Ok(answer::timed_out(&self.shared.status, why))
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
                    // The origin failed a moment ago: it is left alone for a while.
                    Usability::OnError if !self.may_refresh(entry) => {
                        return Way::Answer(entry.clone(), Outcome::Stale);
                    }
                    Usability::OnError | Usability::Expired => {
                        let (entry, usability) = (entry.clone(), *usability);
                        self.note_past(entry, usability);
                    }
                    Usability::Not => {}
                },
                State::Absent => {}
            }
            let flight = flight_key(&self.found.key, &self.request.lookup);
            if self.shared.is_unshared(&flight) {
                return self.alone();
            }
            match self.join() {
                Some(Joined::Following(follow)) => {
                    if let Some(way) = self.follow(follow).await {
                        return way;
                    }
                }
                Some(Joined::Leading(lead)) => {
                    // Since the last look another may have led, and landed.
                    if self.look_again() {
                        continue;
                    }
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
            && !is_looked_at(&self.request.head.extensions)
            && (self.validates() || !is_conditional_at_origin(&self.request.head.headers));
        if leads {
            Some(flights.join(&key))
        } else {
            flights.follow(&key).map(Joined::Following)
        }
    }

    /// What may still be of use once the origin has been asked.
    fn note_past(&mut self, entry: Arc<Entry<Stored>>, usability: Usability) {
        if usability == Usability::OnError {
            self.fallback = Some(entry.clone());
        }
        self.known = Some(entry);
    }

    /// Whether the origin is asked to confirm what is stored. What a client asks of its own copy is answered
    /// from the result.
    fn validates(&self) -> bool {
        !self.request.lookup.head && can_be_validated(self.known.as_ref(), &self.found.key)
    }

    fn may_refresh(&self, entry: &Entry<Stored>) -> bool {
        let engine = &self.shared.engine;
        engine.may_refresh(entry, engine.now())
    }

    /// Nothing means: look again.
    async fn ask_store(&mut self, mut lead: Option<Lead<Stored>>) -> Option<Way> {
        let engine = &self.shared.engine;
        let (asked, looked) = match Ahead::take(&mut self.ahead, &self.found.key) {
            Some(ahead) => (ahead.asked, engine.take_in(&self.found.key, ahead.record)),
            None => (engine.log().moment(), engine.look(&self.found.key).await),
        };
        self.seen = looked.seen;
        match self.heed(looked.found, &mut lead, |_| Source::Store(asked)) {
            Heeded::Go(way) => Some(way),
            Heeded::Again => None,
            Heeded::Miss => {
                if let (Some(lead), Some(known)) = (&lead, &self.known) {
                    // It may be that only this request is not content with it.
                    lead.leaves(known.clone());
                }
                match (lead, looked.seen) {
                    (Some(lead), Some(seen)) => self.contend(lead, seen).await,
                    (lead, _) => Some(self.lead_or_alone(lead)),
                }
            }
        }
    }

    /// What the store has, and what is to be done with it.
    fn heed(
        &mut self,
        found: Option<(Arc<Entry<Stored>>, Usability)>,
        lead: &mut Option<Lead<Stored>>,
        source: impl FnOnce(&Entry<Stored>) -> Source,
    ) -> Heeded {
        let Some((entry, usability)) = found else {
            return Heeded::Miss;
        };
        let (by_any, source) = (usability, source(&entry));
        let usability = match (by_any, source) {
            // There is nothing better, whatever is demanded.
            (Usability::Fresh, Source::Origin(_)) => by_any,
            _ => self.judge(&entry, by_any),
        };
        Heeded::Go(match (&entry.value, usability) {
            (Stored::Response(_), _) if !admits(&entry, &self.request.lookup) => {
                Way::Alone(Forward::Bypass)
            }
            (Stored::Response(_), Usability::Fresh) => {
                let engine = &self.shared.engine;
                let is_due = lead.is_some() && engine.is_due(&entry, engine.now());
                self.answered(entry, source.outcome(), Some(source), lead.take(), is_due)
            }
            (Stored::Response(_), Usability::Stale) => {
                let is_due = self.may_refresh(&entry);
                // What this request accepts those who wait need not.
                let for_all = (by_any == Usability::Stale).then_some(Source::Stale);
                self.answered(entry, Outcome::Stale, for_all, lead.take(), is_due)
            }
            // The origin failed a moment ago: it is left alone for a while.
            (Stored::Response(_), Usability::OnError) if !self.may_refresh(&entry) => {
                let for_all = Some(Source::Stale);
                self.answered(entry, Outcome::Stale, for_all, lead.take(), false)
            }
            (Stored::Response(_), Usability::OnError | Usability::Expired) => {
                self.note_past(entry, usability);
                return Heeded::Miss;
            }
            // It has variants: the first level knows now, and finds the right one.
            (Stored::Variants(_), _) if !self.found.is_variant() => return Heeded::Again,
            _ => return Heeded::Miss,
        })
    }

    /// By what the store had, for all who wait if it comes from somewhere for them; who led refreshes it if that
    /// is due.
    fn answered(
        &self,
        entry: Arc<Entry<Stored>>,
        outcome: Outcome,
        for_all: Option<Source>,
        lead: Option<Lead<Stored>>,
        is_due: bool,
    ) -> Way {
        let Some(lead) = lead else {
            return Way::Answer(entry, outcome);
        };
        match for_all {
            Some(source) => lead.land(entry.clone(), source),
            None => drop(lead),
        }
        let refreshes = is_due && refreshes(&entry, &self.request);
        let flight = flight_key(&self.found.key, &self.request.lookup);
        let engine = &self.shared.engine;
        match refreshes
            .then(|| engine.lead_refresh(&entry, &flight))
            .flatten()
        {
            Some(lead) => Way::Refresh(entry, outcome, lead),
            None => Way::Answer(entry, outcome),
        }
    }

    fn judge(&self, entry: &Entry<Stored>, usability: Usability) -> Usability {
        let (shared, demands) = (&self.shared, &self.request.lookup.demands);
        shared.judge(entry, usability, demands, shared.engine.now())
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
        if let Some(known) = &self.known {
            let engine = &self.shared.engine;
            match known.usability(engine.log(), engine.now()) {
                Usability::Fresh => Forward::Request,
                _ => Forward::Stale,
            }
        } else if self.found.is_variant() {
            Forward::VaryMiss
        } else {
            Forward::UriMiss
        }
    }

    /// Asks the first level anew; true if it knows more than it did.
    fn look_again(&mut self) -> bool {
        let (resource, variant) = match self.found.resource.take() {
            Some(resource) => (resource, Some(mem::take(&mut self.found.key))),
            None => (mem::take(&mut self.found.key), None),
        };
        let now = self.shared.engine.present();
        let Pending { head, lookup, .. } = &self.request;
        self.found = self
            .shared
            .find(resource, &head.headers, &lookup.demands, now);
        let is_other = self.found.is_variant() && variant.as_ref() != Some(&self.found.key);
        let usable = Usability::Fresh;
        is_other || matches!(&self.found.state, State::Present(_, found) if *found == usable)
    }

    fn answer(&self, entry: &Entry<Stored>, outcome: Outcome) -> Response<ResponseBody<ResBody>> {
        let asked = Asked::of(&self.request.lookup, &self.request.head.headers);
        let now = self.shared.engine.now();
        hit(&self.shared, entry, asked, outcome, now)
    }

    /// Calls the origin, and stores what it answers if it may be stored.
    async fn ask_origin(
        self,
        lead: Option<Lead<Stored>>,
        why: Forward,
    ) -> Result<Response<ResponseBody<ResBody>>, S::Error> {
        let validates = self.validates();
        let Pending {
            mut head,
            body,
            lookup,
            cell,
        } = self.request;
        let mut asking = Asking {
            target: self.shared.keys.target(&head),
            uri: head.uri.clone(),
            headers: head.headers.clone(),
            fetched: self.shared.engine.log().moment(),
            sent: self.shared.engine.now(),
            began: self.shared.engine.passed(),
            shared: self.shared,
            resource: self.found.resource().to_vec(),
            key: self.found.key,
            lookup,
            cell,
            fallback: self.fallback,
            known: self.known,
            validates,
            is_unattended: self.is_unattended,
            personal: Personal::watch(&mut head.extensions),
            beginning: None,
            why,
            lead,
        };
        asking.shared.storing.targets.announce(&mut head.headers);
        Within::enter(&asking.shared.engine, &mut head.extensions);
        if let Some(stored) = asking.validated() {
            ask_for_validation(&mut head.headers, &stored.headers);
        }
        asking.ask_for_rest(&mut head.headers);
        let request = Request::from_parts(head, body);
        calls_origin(asking.cell.as_ref());
        asking.wait_for(Oneshot::new(self.origin.0, request)).await
    }
}

/// True if it is the first word, and there is somebody to hear it.
pub(crate) fn tell(cell: Option<&OutcomeCell>, told: Told) -> bool {
    cell.is_some_and(|cell| cell.tell(told))
}

pub(crate) fn calls_origin(cell: Option<&OutcomeCell>) {
    if let Some(cell) = cell {
        cell.calls_origin();
    }
}

/// How often a request looks again when what it waited for was not for it; then it goes alone.
const MOST_ROUNDS: usize = 4;
