//! A load under way: who waits for it, and what becomes of what it brings.

use std::{pin::Pin, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout};
use tower_keep_store::{Moment, Outcome, Told};

use super::{Found, Object, ObjectCache, told};
use crate::{
    directive::Tag,
    engine::{
        background::Task,
        entry::Usability,
        flight::{Lead, Source},
        lease::Lease,
    },
};

pub(super) struct Loading<T> {
    objects: ObjectCache<T>,
    key: Vec<u8>,
    tags: Box<[Tag]>,
    lead: Option<Lead<Object<T>>>,
    /// What answers if the load fails.
    fallback: Option<Found<T>>,
    fetched: Moment,
    began: Duration,
}

/// What the caller gets, and what is told of it.
pub(super) type Loaded<T, E> = (Result<Arc<T>, E>, Told);

impl<T> Loading<T>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    pub(super) fn begins(
        objects: &ObjectCache<T>,
        key: Vec<u8>,
        tags: &[Tag],
        lead: Option<Lead<Object<T>>>,
        fallback: Option<Found<T>>,
    ) -> Self {
        Self {
            key,
            tags: tags.into(),
            lead,
            fallback,
            fetched: objects.engine.log().moment(),
            began: objects.engine.passed(),
            objects: objects.clone(),
        }
    }

    /// Waits for the load: to its end, or, where something answers in its place, until the hard time-out.
    pub(super) async fn run<E>(
        mut self,
        mut load: Pin<&mut impl Future<Output = Result<T, E>>>,
        is_failure: impl Fn(&E) -> bool,
    ) -> Loaded<T, E> {
        if let (Some(hard), Some(_)) = (self.objects.class.class.timeouts.hard, &self.fallback) {
            match timeout(hard, &mut load).await {
                Ok(loaded) => return self.end(loaded, is_failure),
                Err(_) => {
                    if let Some((value, told)) = self.stand_in() {
                        return (Ok(value), told);
                    }
                }
            }
        }
        let loaded = load.await;
        self.end(loaded, is_failure)
    }

    /// The same; after the soft time-out the load goes on alone.
    pub(super) async fn run_detachable<E: Send + 'static>(
        mut self,
        load: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Loaded<T, E> {
        let mut load = Box::pin(load);
        let soft = self.objects.class.class.timeouts.soft;
        if let (Some(soft), Some(_)) = (soft, &self.fallback) {
            let began = Instant::now();
            if let Ok(loaded) = timeout(soft, &mut load).await {
                return self.end(loaded, |_| true);
            }
            // The load goes on, for the other processes too.
            let lease = self.lead.as_mut().and_then(Lead::take_lease);
            let answer = self.stand_in();
            if let Some((value, told)) = answer {
                self.go_on(load, began, lease);
                return (Ok(value), told);
            }
            self.hold(lease);
        }
        self.run(load.as_mut(), |_| true).await
    }

    /// In the background, if there is room; else the load ends here.
    fn go_on<E: Send + 'static>(
        mut self,
        load: impl Future<Output = Result<T, E>> + Send + 'static,
        began: Instant,
        lease: Option<Lease>,
    ) {
        let engine = self.objects.engine.clone();
        let Some(permit) = engine.refresh_permit() else {
            return;
        };
        let stale = self.fallback.as_ref();
        self.lead = stale.map(|stale| engine.lead_on(stale, &self.key));
        self.hold(lease);
        let left = self.objects.most_time().saturating_sub(began.elapsed());
        engine.background.spawn(Task::Refresh, async move {
            let _permit = permit;
            if let Ok(loaded) = timeout(left, load).await {
                let _stored_or_not = self.end(loaded, |_| true);
            }
        });
    }

    /// A lease without a lead is given back.
    fn hold(&mut self, lease: Option<Lease>) {
        if let Some(lead) = &mut self.lead {
            lead.hold(lease);
        }
    }

    /// What may still answer, for all who wait.
    fn stand_in(&mut self) -> Option<(Arc<T>, Told)> {
        let engine = &self.objects.engine;
        let now = engine.now();
        let fallback = self.fallback.as_ref();
        let entry = fallback.filter(|entry| entry.may_bridge(engine.log(), now))?;
        engine.pause(entry, now);
        let outcome = match entry.usability(engine.log(), now) {
            Usability::Fresh => Outcome::Hit,
            _ => Outcome::Stale,
        };
        if let Some(lead) = self.lead.take() {
            lead.land(entry.clone(), Source::Stale);
        }
        // The loader was called in vain.
        let told = told(entry, outcome).origin_calls(1);
        Some((entry.value.value.clone(), told))
    }

    pub(super) fn end<E>(
        mut self,
        loaded: Result<T, E>,
        is_failure: impl Fn(&E) -> bool,
    ) -> Loaded<T, E> {
        match loaded {
            Ok(value) => self.store(value),
            Err(error) if is_failure(&error) => match self.stand_in() {
                Some((value, told)) => (Ok(value), told),
                None => self.fail(error, Outcome::Error.into()),
            },
            Err(absent) => {
                // What is not there was found out, and is not stored; what was there is out of date.
                let cost = self.cost();
                if self.fallback.is_some() {
                    self.objects.engine.remove(&self.key);
                }
                let told = Told::from(Outcome::Miss).origin_time(cost).unstored(true);
                self.fail(absent, told)
            }
        }
    }

    fn store<E>(mut self, value: T) -> Loaded<T, E> {
        let cost = self.cost();
        let value = Arc::new(value);
        let stamp = self.fetched.stamp();
        let entry = self
            .objects
            .entry(&self.key, &self.tags, value.clone(), stamp, cost);
        let lease = self.lead.as_mut().and_then(Lead::take_lease);
        let entry = self.objects.engine.insert_leased(entry, None, lease);
        let is_unstored = !(entry.meta.first_level || entry.meta.store);
        let told = told(&entry, Outcome::Miss).unstored(is_unstored);
        if let Some(lead) = self.lead {
            lead.land(entry, Source::Origin(self.fetched));
        }
        (Ok(value), told)
    }

    fn fail<E>(self, error: E, told: Told) -> Loaded<T, E> {
        if let Some(lead) = self.lead {
            lead.release();
        }
        (Err(error), told)
    }

    fn cost(&self) -> Duration {
        self.objects.engine.passed().saturating_sub(self.began)
    }
}
