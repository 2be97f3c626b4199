//! The way of a value that this process would load: unless another one does.

use std::pin::pin;

use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;
use tower_keep_store::{Moment, Outcome};

use super::{Found, ObjectCache, Way, value::Object};
use crate::engine::{
    entry::{Entry, Usability},
    flight::{Ending, Follow, Lead, Source},
    lease::{Seen, Turn},
};

impl<T> ObjectCache<T>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Loads for all processes, or waits for the one that does.
    /// `before` is when the caller asked, and what the store had then.
    pub(super) async fn contend(
        &self,
        key: &[u8],
        mut lead: Lead<Object<T>>,
        before: (Moment, Seen),
        fallback: Option<Found<T>>,
    ) -> Way<T> {
        let (asked, seen) = before;
        let length = self.class.class.lease;
        let contest = length.and_then(|length| self.engine.contest(key, key, length, seen));
        let Some(mut contest) = contest else {
            return Way::Load(Some(lead), fallback);
        };
        loop {
            let (engine, soft) = (&self.engine, self.class.class.timeouts.soft);
            let soft = soft.filter(|_| fallback.is_some());
            let turn = match (contest.turn_within(soft).await, &fallback) {
                (Some(turn), _) => turn,
                (None, Some(stale)) if stale.may_bridge(engine.log(), engine.now()) => {
                    // For a moment nobody waits again.
                    engine.pause(stale, engine.now());
                    lead.land(stale.clone(), Source::Stale);
                    return Way::Answer(stale.clone(), Outcome::Stale);
                }
                (None, _) => contest.turn().await,
            };
            match turn {
                Turn::Fetch(lease) => {
                    lead.hold(lease);
                    return Way::Load(Some(lead), fallback);
                }
                Turn::Look => {
                    let looked = self.engine.look(key).await;
                    let fresh = looked.found.filter(|(_, found)| *found == Usability::Fresh);
                    let landed = fresh.map(|(entry, _)| entry);
                    let landed = landed.or_else(|| {
                        looked
                            .refused
                            .filter(|entry| self.was_in_time(entry, asked))
                    });
                    if let Some(entry) = landed {
                        let source = Source::Origin(Moment::elsewhere(entry.meta.stamp));
                        lead.land(entry.clone(), source);
                        return Way::Answer(entry, source.outcome());
                    }
                    let Some(seen) = looked.seen else {
                        return Way::Load(Some(lead), fallback);
                    };
                    contest.saw(seen);
                }
                Turn::Released | Turn::Unshared => {
                    lead.release();
                    return Way::Load(None, fallback);
                }
            }
        }
    }

    /// Waits for what another loads; if something stale could answer not longer than the soft time-out: then that
    /// does.
    pub(super) async fn wait(
        &self,
        stale: Option<&Found<T>>,
        follow: Follow<Object<T>>,
    ) -> Result<Ending<Object<T>>, Found<T>> {
        let engine = &self.engine;
        let usability = |entry: &Entry<_>| entry.usability(engine.log(), engine.now());
        let will_do = |entry: &Entry<_>| usability(entry) <= Usability::Stale;
        let mut ending = pin!(follow.wait(will_do));
        if let (Some(stale), Some(soft)) = (stale, self.class.class.timeouts.soft) {
            if let Ok(ending) = timeout(soft, &mut ending).await {
                return Ok(ending);
            }
            if stale.may_bridge(engine.log(), engine.now()) {
                return Err(stale.clone());
            }
        }
        Ok(ending.await)
    }

    /// Refreshes for all processes, unless another one does, or has: what that brings is found in the store.
    /// Nothing means that one does.
    pub(super) async fn contend_once(
        &self,
        lead: &mut Lead<Object<T>>,
        entry: &Found<T>,
        seen: Seen,
    ) -> Option<Turn> {
        let (key, length) = (&entry.key, self.class.class.lease);
        let contest = length.and_then(|length| self.engine.contest(key, key, length, seen));
        let Some(mut contest) = contest else {
            return Some(Turn::Fetch(None));
        };
        let mut turn = contest.try_once().await?;
        if let Turn::Fetch(lease) = &mut turn {
            lead.hold(lease.take());
        }
        Some(turn)
    }

    /// Whether what has been invalidated meanwhile answers all the same: its caller had asked before.
    fn was_in_time(&self, entry: &Entry<Object<T>>, asked: Moment) -> bool {
        let (engine, fetched) = (&self.engine, Moment::elsewhere(entry.meta.stamp));
        engine.log().is_current()
            && engine.now() < entry.meta.fresh_until
            && entry.may_answer(engine.log(), fetched, asked)
    }
}
