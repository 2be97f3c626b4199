//! Values that are loaded anew while they answer.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;
use tower_keep_store::{LookupKind, Outcome};

use super::{CacheKey, ObjectCache, Refreshing, Way, loading::Loading, tell, told};
use crate::{
    directive::Tag,
    engine::{background::Task, flight::Source, lease::Turn},
};

impl<T> ObjectCache<T>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// As [`get_or_load`](Self::get_or_load), with a loader that can go on without its caller, so that nobody
    /// waits for a refresh: a value in its `stale_while_revalidate` window, or [shortly before its
    /// end](crate::Class::early_refresh), answers at once, while the loader of one caller runs in the background.
    /// After the [soft time-out](crate::Class::soft_timeout) a value in its `stale_if_error` window answers, and
    /// the load goes on.
    ///
    /// At most 64 loads run in the background, each no longer than the hard time-out (10 s if there is none);
    /// before one begins there, the store is asked whether another process was faster. What it fails with there
    /// is nobody's: let the loader log it. The value answers on for its time, and for a second the loader is
    /// left alone.
    ///
    /// # Errors
    ///
    /// The loader's. The store's failures are misses.
    pub async fn get_or_refresh<E, F, L>(
        &self,
        key: impl Into<CacheKey>,
        tags: &[Tag],
        load: L,
    ) -> Result<Arc<T>, E>
    where
        L: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        E: Send + 'static,
    {
        let key = self.key(&key.into());
        let store = self.engine.store();
        let mut watch = store.watch(LookupKind::Objects, &self.class.name, &key);
        match self.find_strictly(&key).await {
            Way::Answer(entry, outcome) => {
                tell(watch, told(&entry, outcome));
                Ok(entry.value.value.clone())
            }
            Way::Refresh(refreshing) => {
                let told = told(&refreshing.entry, refreshing.outcome);
                let value = refreshing.entry.value.value.clone();
                let begins = self.refresh(refreshing, key.clone(), tags, load);
                tell(watch, told.origin_calls(begins.into()));
                Ok(value)
            }
            Way::Load(lead, fallback) => {
                let loading = Loading::begins(self, key.clone(), tags, lead, fallback);
                if let Some(watch) = &mut watch {
                    watch.calls_origin();
                }
                let (value, told) = loading.run_detachable(load()).await;
                tell(watch, told);
                value
            }
        }
    }

    /// In the background, unless too much is under way there. True if it begins.
    fn refresh<E, F, L>(
        &self,
        refreshing: Refreshing<T>,
        key: Vec<u8>,
        tags: &[Tag],
        load: L,
    ) -> bool
    where
        L: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        E: Send + 'static,
    {
        let Some(permit) = self.engine.refresh_permit() else {
            return false;
        };
        let (objects, tags) = (self.clone(), Box::<[Tag]>::from(tags));
        self.engine.background.spawn(Task::Refresh, async move {
            let _permit = permit;
            let Way::Refresh(Refreshing { entry, lead, .. }) =
                objects.look_elsewhere(refreshing).await
            else {
                return;
            };
            objects.engine.pause(&entry, objects.engine.now());
            let loading = Loading::begins(&objects, key, &tags, Some(lead), Some(entry));
            if let Ok(loaded) = timeout(objects.most_time(), load()).await {
                let _stored_or_not = loading.end(loaded, |_| true);
            }
        })
    }

    /// Looks into the store first: another process may have refreshed it, or be at it.
    pub(super) async fn look_elsewhere(&self, mut refreshing: Refreshing<T>) -> Way<T> {
        for _ in 0..MOST_LOOKS {
            let asked = self.engine.log().moment();
            let seen = match refreshing.seen.take() {
                Some(seen) => seen,
                None => match self.engine.replacement(&refreshing.entry).await {
                    (Some(entry), _) => {
                        refreshing.lead.land(entry.clone(), Source::Store(asked));
                        return Way::Answer(entry, Outcome::Hit);
                    }
                    (None, seen) => seen,
                },
            };
            match self
                .contend_once(&mut refreshing.lead, &refreshing.entry, seen)
                .await
            {
                Some(Turn::Look) => {}
                Some(_) => break,
                None => return Way::Answer(refreshing.entry, refreshing.outcome),
            }
        }
        Way::Refresh(refreshing)
    }

    /// How long a load may take that nobody waits for.
    pub(super) fn most_time(&self) -> Duration {
        self.class.class.timeouts.hard.unwrap_or(self.patience)
    }
}

/// How often a refresh looks what another has stored before it loads all the same.
const MOST_LOOKS: usize = 4;
