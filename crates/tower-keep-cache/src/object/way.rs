//! The way to a value: who answers, and who loads.

use std::{pin::pin, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use tower_keep_store::{Consistency, LookupKind, Moment, Outcome, Timestamp, Told, Watch};

use super::{CacheKey, ObjectCache, loading::Loading, value::Object};
use crate::{
    directive::Tag,
    engine::{
        entry::{Entry, Usability},
        flight::{Ending, Joined, Lead, Source},
        lease::Seen,
        strict::Ahead,
    },
};

pub(super) type Found<T> = Arc<Entry<Object<T>>>;

pub(super) enum Way<T> {
    Answer(Found<T>, Outcome),
    /// It may answer, and is to be refreshed.
    Refresh(Refreshing<T>),
    /// With what answers if the load fails.
    Load(Option<Lead<Object<T>>>, Option<Found<T>>),
}

/// A refresh that somebody is to make.
pub(super) struct Refreshing<T> {
    pub(super) entry: Found<T>,
    pub(super) outcome: Outcome,
    pub(super) lead: Lead<Object<T>>,
    /// It has just come from the store, and was this there.
    pub(super) seen: Option<Seen>,
}

impl<T> ObjectCache<T>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    pub(super) async fn get<E, F>(
        &self,
        key: CacheKey,
        tags: &[Tag],
        load: impl FnOnce() -> F,
        is_failure: impl Fn(&E) -> bool,
    ) -> Result<Arc<T>, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let key = self.key(&key);
        let store = self.engine.store();
        let mut watch = store.watch(LookupKind::Objects, &self.class.name, &key);
        let mut way = self.find_strictly(&key).await;
        if let Way::Refresh(refreshing) = way {
            // A load that is bound to its caller can only be waited for.
            way = self.look_elsewhere(refreshing).await;
        }
        let (lead, fallback) = match way {
            Way::Answer(entry, outcome) => {
                tell(watch, told(&entry, outcome));
                return Ok(entry.value.value.clone());
            }
            Way::Refresh(Refreshing { entry, lead, .. }) => (Some(lead), Some(entry)),
            Way::Load(lead, fallback) => (lead, fallback),
        };
        let loading = Loading::begins(self, key, tags, lead, fallback);
        if let Some(watch) = &mut watch {
            watch.calls_origin();
        }
        let (value, told) = loading.run(pin!(load()), is_failure).await;
        tell(watch, told);
        value
    }

    pub(super) async fn find_strictly(&self, key: &[u8]) -> Way<T> {
        let is_embedded = self.engine.store().is_embedded();
        if self.consistency == Consistency::Eventual || is_embedded {
            return self.find_way(key, None).await;
        }
        let is_absent = self.engine.first(key, self.engine.present()).is_none();
        match self.engine.catch_up(is_absent.then(|| key.to_vec())).await {
            Ok(ahead) => self.find_way(key, ahead).await,
            // Nobody can tell what is still valid, nor who else's load may be waited for.
            Err(_) => Way::Load(None, None),
        }
    }

    async fn find_way(&self, key: &[u8], mut ahead: Option<Ahead>) -> Way<T> {
        let engine = &self.engine;
        let asked = engine.log().moment();
        let mut fallback = None;
        for _ in 0..MOST_ROUNDS {
            let now = engine.present();
            if let Some((entry, usability)) = engine.first(key, now) {
                let now = now.time;
                match usability {
                    Usability::Fresh => return self.answered(key, entry, Outcome::Hit, None, now),
                    Usability::Stale => {
                        return self.answered(key, entry, Outcome::Stale, None, now);
                    }
                    // The loader failed a moment ago: it is left alone for a while.
                    Usability::OnError if !engine.may_refresh(&entry, now) => {
                        return Way::Answer(entry, Outcome::Stale);
                    }
                    Usability::OnError => fallback = Some(entry),
                    Usability::Expired | Usability::Not => {}
                }
            }
            let follow = match engine.flights.join(key) {
                // Since the last look another may have led, and landed.
                Joined::Leading(_) if self.is_there(key) => continue,
                Joined::Leading(lead) => {
                    let ahead = ahead.take();
                    return self.ask_store(key, lead, fallback, (asked, ahead)).await;
                }
                Joined::Following(follow) => follow,
            };
            let ending = match self.wait(fallback.as_ref(), follow).await {
                Ok(ending) => ending,
                Err(stale) => return Way::Answer(stale, Outcome::Stale),
            };
            match ending {
                Ending::Landed(entry, source) if source.may_answer(&entry, engine.log(), asked) => {
                    return Way::Answer(entry, source.outcome());
                }
                // Judged anew, as if it had been found here.
                Ending::Meanwhile(entry) => match entry.usability(engine.log(), engine.now()) {
                    Usability::Fresh => return Way::Answer(entry, Outcome::Hit),
                    Usability::Stale => return Way::Answer(entry, Outcome::Stale),
                    _ => {}
                },
                Ending::Landed(..) | Ending::Abandoned => {}
                Ending::Released | Ending::OutOfPatience | Ending::TimedOut => break,
            }
        }
        Way::Load(None, fallback)
    }

    /// By this entry; who comes first when that is due refreshes it too.
    fn answered(
        &self,
        key: &[u8],
        entry: Found<T>,
        outcome: Outcome,
        seen: Option<Seen>,
        now: Timestamp,
    ) -> Way<T> {
        let engine = &self.engine;
        let is_due = match outcome {
            Outcome::Hit => engine.is_due(&entry, now),
            _ => engine.may_refresh(&entry, now),
        };
        match is_due.then(|| engine.lead_refresh(&entry, key)).flatten() {
            Some(lead) => Way::Refresh(Refreshing {
                entry,
                outcome,
                lead,
                seen,
            }),
            None => Way::Answer(entry, outcome),
        }
    }

    fn is_there(&self, key: &[u8]) -> bool {
        let found = self.engine.first(key, self.engine.present());
        found.is_some_and(|(_, usability)| usability == Usability::Fresh)
    }

    async fn ask_store(
        &self,
        key: &[u8],
        lead: Lead<Object<T>>,
        fallback: Option<Found<T>>,
        (asked, mut ahead): (Moment, Option<Ahead>),
    ) -> Way<T> {
        let engine = &self.engine;
        // The store may have been asked before the caller had caught up with the log.
        let (read, looked) = match Ahead::take(&mut ahead, key) {
            Some(ahead) => (ahead.asked, engine.take_in(key, ahead.record)),
            None => (engine.log().moment(), engine.look(key).await),
        };
        let (entry, outcome, source) = match looked.found {
            Some((entry, Usability::Fresh)) => (entry, Outcome::Hit, Source::Store(read)),
            Some((entry, Usability::Stale)) => (entry, Outcome::Stale, Source::Stale),
            // The loader failed a moment ago: it is left alone for a while.
            Some((entry, Usability::OnError)) if !engine.may_refresh(&entry, engine.now()) => {
                lead.land(entry.clone(), Source::Stale);
                return Way::Answer(entry, Outcome::Stale);
            }
            past => {
                let past = past.filter(|(_, usability)| *usability == Usability::OnError);
                let fallback = past.map(|(entry, _)| entry).or(fallback);
                return match looked.seen {
                    Some(seen) => self.contend(key, lead, (asked, seen), fallback).await,
                    None => Way::Load(Some(lead), fallback),
                };
            }
        };
        lead.land(entry.clone(), source);
        self.answered(key, entry, outcome, looked.seen, engine.now())
    }
}

pub(super) fn tell(watch: Option<Watch<'_>>, told: Told) {
    if let Some(watch) = watch {
        watch.tell(told);
    }
}

/// The loader took what it took when the entry was loaded, wherever that was.
pub(super) fn told<T>(entry: &Entry<Object<T>>, outcome: Outcome) -> Told {
    Told::from(outcome).origin_time(entry.meta.cost)
}

/// How often a caller looks again when what it waited for was not for it; then it loads itself.
const MOST_ROUNDS: usize = 4;
