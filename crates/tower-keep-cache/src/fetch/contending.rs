//! The way of a request for which this process would fetch: unless another one does.

use std::sync::Arc;

use http::{Request, Response};
use http_body::Body;
use tower_keep_store::{Moment, Outcome};
use tower_service::Service;

use super::{Fetch, Heeded, Way, timed};
use crate::{
    engine::{
        entry::Entry,
        flight::{Lead, Source},
        lease::{Seen, Turn},
    },
    http::entry::Stored,
    service::admits,
    shared::flight_key,
};

impl<S, ReqBody, ResBody> Fetch<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Body + Send + 'static,
    ResBody: Body + Send + 'static,
    ResBody::Error: Send,
{
    /// Leads for all processes, or waits for the one that does. Nothing means: look again.
    pub(super) async fn contend(&mut self, lead: Lead<Stored>, seen: Seen) -> Option<Way> {
        let flight = flight_key(&self.found.key, &self.request.lookup).into_owned();
        let engine = self.shared.engine.clone();
        let length = self.shared.lease();
        let contest =
            length.and_then(|length| engine.contest(&self.found.key, &flight, length, seen));
        let mut lead = Some(lead);
        let Some(mut contest) = contest else {
            return Some(self.lead_or_alone(lead));
        };
        loop {
            let stale = self.fallback.clone();
            let soft = timed::soft(&self.shared, stale.as_deref());
            let turn = match (contest.turn_within(soft).await, stale) {
                (Some(turn), _) => turn,
                (None, Some(stale)) if stale.may_bridge(engine.log(), engine.now()) => {
                    return Some(self.wait_no_longer(lead, stale));
                }
                (None, _) => contest.turn().await,
            };
            match turn {
                Turn::Fetch(lease) => {
                    if let Some(lead) = &mut lead {
                        lead.hold(lease);
                    }
                    return Some(self.lead_or_alone(lead));
                }
                Turn::Look => {
                    let looked = engine.look(&self.found.key).await;
                    if let Some(entry) = looked.refused.filter(|entry| self.was_in_time(entry)) {
                        let source = elsewhere(&entry);
                        if let Some(lead) = lead {
                            lead.land(entry.clone(), source);
                        }
                        return Some(Way::Answer(entry, source.outcome()));
                    }
                    self.seen = looked.seen;
                    let is_new = looked.seen.is_some_and(|seen| contest.would_see(seen));
                    let known = self.known.clone();
                    let source = |entry: &Entry<Stored>| {
                        let is_known =
                            known.is_some_and(|known| known.meta.is_same_fetch(&entry.meta));
                        match is_new && !is_known {
                            true => elsewhere(entry),
                            false => Source::Store(Moment::elsewhere(entry.meta.stamp)),
                        }
                    };
                    match self.heed(looked.found, &mut lead, source) {
                        Heeded::Go(way) => return Some(way),
                        Heeded::Again => return None,
                        Heeded::Miss => {}
                    }
                    let Some(seen) = looked.seen else {
                        return Some(self.lead_or_alone(lead));
                    };
                    contest.saw(seen);
                }
                turn @ (Turn::Released | Turn::Unshared) => {
                    if matches!(turn, Turn::Unshared) {
                        self.shared.mark_unshared(&flight);
                    }
                    if let Some(lead) = lead {
                        lead.release();
                    }
                    return Some(self.alone());
                }
            }
        }
    }

    /// The other process takes too long: what is stale answers all who wait here. For a moment nobody waits again.
    fn wait_no_longer(&self, lead: Option<Lead<Stored>>, stale: Arc<Entry<Stored>>) -> Way {
        let engine = &self.shared.engine;
        engine.pause(&stale, engine.now());
        if let Some(lead) = lead {
            lead.land(stale.clone(), Source::Stale);
        }
        Way::Answer(stale, Outcome::Stale)
    }

    /// Leads for all processes, unless another refreshes it already, or has: what that brings is found in the
    /// store.
    pub(super) async fn contend_in_background(
        &mut self,
        lead: &mut Lead<Stored>,
        seen: Seen,
    ) -> InBackground {
        let flight = flight_key(&self.found.key, &self.request.lookup);
        let (key, engine) = (&self.found.key, &self.shared.engine);
        let contest = self
            .shared
            .lease()
            .and_then(|length| engine.contest(key, &flight, length, seen));
        let Some(mut contest) = contest else {
            return InBackground::Fetch;
        };
        match contest.try_once().await {
            None => return InBackground::Leave,
            Some(Turn::Look) => return InBackground::Look,
            Some(Turn::Fetch(lease)) => lead.hold(lease),
            Some(Turn::Released | Turn::Unshared) => {}
        }
        InBackground::Fetch
    }

    /// Whether what has been invalidated meanwhile answers all the same: this request had asked before.
    fn was_in_time(&self, entry: &Entry<Stored>) -> bool {
        let engine = &self.shared.engine;
        engine.log().is_current()
            && engine.now() < entry.meta.fresh_until
            && elsewhere(entry).may_answer(entry, engine.log(), self.asked)
            && admits(entry, &self.request.lookup)
    }
}

/// How a refresh goes on.
pub(super) enum InBackground {
    Fetch,
    /// Another one is in the store.
    Look,
    /// Another process fetches.
    Leave,
}

/// Another process fetched it: all that is known of when is where the log stood there.
fn elsewhere(entry: &Entry<Stored>) -> Source {
    Source::Origin(Moment::elsewhere(entry.meta.stamp))
}
