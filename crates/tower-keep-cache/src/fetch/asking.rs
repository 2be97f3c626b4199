//! The origin's answer: on to the client, and into the cache if it may be stored.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Response, StatusCode, Uri, response};
use http_body::Body;
use tower_keep_store::{Moment, Outcome, OutcomeCell, Target, Timestamp, Told};

use super::tell;
use crate::{
    body::ResponseBody,
    engine::{
        entry::{Entry, Usability},
        flight::{Lead, Source},
    },
    fill::{Fill, FilledBy},
    http::{
        answer::{self, Asked},
        entry::{Stored, StoredResponse},
        freshness::Times,
        key::authority_of,
        labels::hide,
        refusal::Refusal,
        request::Lookup,
        status::{Forward, Report},
        storing::StoragePlan,
        validation::is_not_modified,
    },
    personal::Personal,
    service::{hit, told},
    shared::{Shared, flight_key},
    tee::Tee,
};

/// A question that is with the origin.
pub(super) struct Asking {
    pub(super) shared: Arc<Shared>,
    pub(super) key: Vec<u8>,
    pub(super) resource: Vec<u8>,
    pub(super) target: Option<Target>,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) lookup: Lookup,
    pub(super) cell: Option<OutcomeCell>,
    pub(super) fetched: Moment,
    pub(super) sent: Timestamp,
    /// The same, for telling how long the origin takes.
    pub(super) began: Duration,
    pub(super) personal: Personal,
    pub(super) why: Forward,
    pub(super) lead: Option<Lead<Stored>>,
    pub(super) fallback: Option<Arc<Entry<Stored>>>,
    /// What is past its time.
    pub(super) known: Option<Arc<Entry<Stored>>>,
    /// Whether the origin is asked to confirm that.
    pub(super) validates: bool,
    /// Whether nobody waits for it.
    pub(super) is_unattended: bool,
    /// What the origin is asked for the rest of.
    pub(super) beginning: Option<Arc<Entry<Stored>>>,
}

impl Asking {
    /// Takes the answer in: to the client it goes in any case.
    pub(super) fn receive<B>(&mut self, response: Response<B>) -> Response<ResponseBody<B>>
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
        let took = self.took();
        let (head, body) = response.into_parts();
        if let Some(beginning) = self.beginning.take() {
            match head.status {
                StatusCode::PARTIAL_CONTENT => return self.complete(&beginning, head, body),
                StatusCode::RANGE_NOT_SATISFIABLE => return self.refuse_rest(),
                _ => {}
            }
        }
        if head.status == StatusCode::NOT_MODIFIED
            && let Some(known) = self.known.take_if(|_| self.validates)
        {
            return self.renew(&known, head, took);
        }
        self.personal.heed(&head.extensions);
        if self.lookup.head
            && head.status == StatusCode::OK
            && let Some(known) = &self.known
        {
            self.heed_head(known, &head);
        }
        let decided = match head.status {
            StatusCode::PARTIAL_CONTENT => self.decide_part(&head),
            _ => self.decide(&head),
        };
        match decided {
            Ok(mut fill) => {
                fill.took_to_the_head(took);
                if self.tell(took, None) {
                    fill.report_to(self.cell.take());
                }
                self.finish(head, ResponseBody::storing(Tee::new(body, fill)), None)
            }
            Err(refusal) => {
                self.tell(took, Some(refusal));
                self.refuse(refusal);
                self.finish(head, ResponseBody::passing(body), Some(refusal))
            }
        }
    }

    /// How long the origin has taken.
    pub(super) fn took(&self) -> Duration {
        self.shared.engine.passed().saturating_sub(self.began)
    }

    /// The origin has taken so long to the head of its answer; where that is stored as it passes, the rest is
    /// added at its end.
    pub(super) fn tell(&self, took: Duration, refusal: Option<Refusal>) -> bool {
        let told = Told::from(self.outcome()).origin_time(took);
        tell(self.cell.as_ref(), told.unstored(refusal.is_some()))
    }

    pub(super) fn decide(&mut self, head: &response::Parts) -> Result<Fill, Refusal> {
        let times = self.times();
        let plan = self.plan(head, times)?;
        Ok(self.fill(plan, head, times))
    }

    /// Whether and how it is stored.
    pub(super) fn plan(
        &self,
        head: &response::Parts,
        times: Times,
    ) -> Result<StoragePlan, Refusal> {
        // A response to HEAD is not one to GET (RFC 9110 §9.3.2).
        if self.lookup.head {
            return Err(Refusal::Head);
        }
        // Nor is what only a part may be answered with: 416, say.
        if self.lookup.ranged && head.status != StatusCode::OK {
            return Err(Refusal::Status);
        }
        self.storage_plan(head, times)
    }

    /// The same for the answer to GET, whatever was asked.
    pub(super) fn storage_plan(
        &self,
        head: &response::Parts,
        times: Times,
    ) -> Result<StoragePlan, Refusal> {
        if self.personal.is_marked() {
            return Err(Refusal::Personal);
        }
        let mut plan = self.shared.storing.decide(&self.lookup, head, times)?;
        let authority = authority_of(&self.uri, &self.headers);
        let labels = &self.shared.labels;
        labels.add_to(&mut plan.targets, &head.headers, authority)?;
        if self.personal.refuses(plan.shared_with) {
            return Err(Refusal::Personal);
        }
        Ok(plan)
    }

    pub(super) fn fill(&mut self, plan: StoragePlan, head: &response::Parts, times: Times) -> Fill {
        if plan.always_validated {
            // Who waits has to ask the origin himself, and the next ones too.
            self.go_alone();
        }
        let request = FilledBy {
            key: &self.resource,
            flight: flight_key(&self.key, &self.lookup),
            personal: self.personal.clone(),
            target: self.target,
            headers: &self.headers,
            fetched: self.fetched,
            times,
        };
        let shared = self.shared.clone();
        Fill::new(shared, self.lead.take(), plan, request, head)
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        if matches!(refusal, Refusal::TooManyTags | Refusal::Groups) {
            self.shared.engine.count_unlabelled();
        }
        if refusal == Refusal::UnknownClass {
            tracing::warn!("a response names a class that is not registered: not stored");
        }
        if refusal.is_lasting() {
            self.go_alone();
        }
        self.release();
    }

    /// Each request with this key has to ask the origin.
    pub(super) fn go_alone(&mut self) {
        let flight = flight_key(&self.key, &self.lookup);
        self.shared.mark_unshared(&flight);
        if let Some(lead) = self.lead.take() {
            lead.release_for_long();
        }
    }

    pub(super) fn finish<B: Body>(
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
        hide(&self.shared.hidden, response.headers_mut());
        self.shared.status.write(report, response.headers_mut());
        // The origin was asked about our copy, and not about the client's.
        let is_known = self.validates
            && response.status() == StatusCode::OK
            && is_not_modified(&self.headers, response.headers());
        if is_known {
            // The body, dropped, is read to its end if it is stored.
            return answer::not_modified(response.into_parts().0.headers);
        }
        response
    }

    /// What the origin is asked to confirm.
    pub(super) fn validated(&self) -> Option<&StoredResponse> {
        let known = self.known.as_ref().filter(|_| self.validates)?;
        known.value.response()
    }

    /// The stale response in place of the origin's error, for all who wait.
    pub(super) fn fall_back<B: Body>(&mut self) -> Option<Response<ResponseBody<B>>> {
        let entry = self.fallback.clone()?;
        let now = self.shared.engine.now();
        if !entry.may_bridge(self.shared.engine.log(), now) {
            return None;
        }
        Some(self.answer_stale(entry, now, Source::Stale))
    }

    /// The same, where the origin cannot be reached at all: by some policies also what no window is open for.
    pub(super) fn bridge<B: Body>(&mut self) -> Option<Response<ResponseBody<B>>> {
        if let Some(response) = self.fall_back() {
            return Some(response);
        }
        let entry = self.known.clone()?;
        let now = self.shared.engine.now();
        let is_usable = self.shared.may_bridge(&entry)
            && *entry.key == *self.key
            && entry.usability(self.shared.engine.log(), now) != Usability::Not;
        is_usable.then(|| self.answer_stale(entry, now, Source::Unreached))
    }

    fn answer_stale<B: Body>(
        &mut self,
        entry: Arc<Entry<Stored>>,
        now: Timestamp,
        source: Source,
    ) -> Response<ResponseBody<B>> {
        self.shared.engine.pause(&entry, now);
        let asked = Asked::of(&self.lookup, &self.headers);
        let response = hit(&self.shared, &entry, asked, Outcome::Stale, now);
        // The origin was called in vain.
        let told = told(&entry, Outcome::Stale).origin_calls(1);
        tell(self.cell.as_ref(), told);
        if let Some(lead) = self.lead.take() {
            lead.land(entry, source);
        }
        response
    }

    fn outcome(&self) -> Outcome {
        match self.why {
            Forward::Bypass | Forward::Method => Outcome::Bypass,
            Forward::UriMiss
            | Forward::VaryMiss
            | Forward::Stale
            | Forward::Request
            | Forward::Partial => Outcome::Miss,
        }
    }

    pub(super) fn release(&mut self) {
        if let Some(lead) = self.lead.take() {
            lead.release();
        }
    }
}
