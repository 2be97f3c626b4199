//! Values in application code: cache-aside and write-through.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use tower_keep_store::{Consistency, Mode, StoreError, Verdict};

pub(crate) use self::key::object_target;
pub use self::{fence::Fence, key::CacheKey};
use self::{
    key::{key_target, targets},
    value::Object,
    way::{Found, Refreshing, Way, tell, told},
};

use crate::{
    class::NamedClass,
    directive::Tag,
    engine::{CacheStats, Engine, background::Unfinished, uncertain::Uncertain},
    written::Written,
};

mod builder;
mod contending;
mod fence;
mod key;
mod loading;
mod refresh;
mod storing;
mod value;
mod way;

/// A cache for values of one type and class: load once, share, invalidate by key or tag.
///
/// What happens in [`get_or_load`](Self::get_or_load): the first level, then whoever loads this key
/// already, then the store (one round trip), then the loader. An error is never stored. A value that
/// was loaded while something that it depends on was invalidated goes to those who waited for it
/// before that, and to nobody else.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tower_keep_cache::{Class, ObjectCache, Tag};
/// use tower_keep_store::Store;
///
/// let hour = Class::fresh_for(Duration::from_secs(3600));
/// let names: ObjectCache<String> = ObjectCache::of_class(Store::memory(), "user-profile", hour)?;
/// for _ in 0..2 {
///     let name = names
///         .get_or_load(("user", 7), &[Tag::of("user", 7)], || async {
///             // Here stands the query. It runs once.
///             Ok::<_, std::io::Error>("Ada".to_owned())
///         })
///         .await?;
///     assert_eq!(*name, "Ada");
/// }
/// # Ok(())
/// # }
/// ```
pub struct ObjectCache<T> {
    engine: Arc<Engine<Object<T>>>,
    class: Arc<NamedClass>,
    consistency: Consistency,
    patience: Duration,
    /// How long the others wait for the end of a write that was announced; nothing: none is.
    lease: Option<Duration>,
}

impl<T> ObjectCache<T>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// The value under `key`, loaded if it is not there. `tags` are what a loaded value depends on.
    ///
    /// Concurrent calls for one key share one load. If the caller that loads is dropped, another one
    /// loads. A value in its `stale_while_revalidate` window, or [shortly before its
    /// end](crate::Class::early_refresh), is served at once to all but the one that refreshes it, who waits for his
    /// loader ([`get_or_refresh`](Self::get_or_refresh) lets nobody wait); one in its `stale_if_error` window is
    /// served when the loader fails.
    ///
    /// With a [lease](crate::Class::lease) concurrent calls in all processes share one load.
    ///
    /// A loader must not ask for its own key: it would wait for itself, for as long as the patience lasts. Nor
    /// may loaders ask for each other's keys.
    ///
    /// To remember that something does *not* exist, make `T` an `Option` and load `None`; otherwise
    /// see [`find_or_load`](Self::find_or_load).
    ///
    /// # Errors
    ///
    /// The loader's. The store's failures are misses.
    pub async fn get_or_load<E, F>(
        &self,
        key: impl Into<CacheKey>,
        tags: &[Tag],
        load: impl FnOnce() -> F,
    ) -> Result<Arc<T>, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.get(key.into(), tags, load, |_| true).await
    }

    /// As [`get_or_load`](Self::get_or_load) for a value that may not exist; its absence is not stored.
    ///
    /// # Errors
    ///
    /// The loader's.
    pub async fn find_or_load<E, F>(
        &self,
        key: impl Into<CacheKey>,
        tags: &[Tag],
        load: impl FnOnce() -> F,
    ) -> Result<Option<Arc<T>>, E>
    where
        F: Future<Output = Result<Option<T>, E>>,
    {
        let loading = || async move {
            match load().await {
                Ok(found) => found.ok_or(None),
                Err(error) => Err(Some(error)),
            }
        };
        // Absence is an answer: nothing stale stands in for it.
        match self.get(key.into(), tags, loading, Option::is_some).await {
            Ok(value) => Ok(Some(value)),
            Err(None) => Ok(None),
            Err(Some(error)) => Err(error),
        }
    }

    /// Takes note of the moment; see [`put`](Self::put).
    pub fn fence(&self) -> Fence {
        Fence::at(self.engine.log().moment())
    }

    /// Stores a value that was read after `fence` was taken, unless something that it depends on has
    /// been invalidated since. For values that come by another way than the loader.
    ///
    /// Not for changes: what other processes hold stays. Changes go through [`write`](Self::write).
    pub fn put(&self, fence: Fence, key: impl Into<CacheKey>, tags: &[Tag], value: T) -> Arc<T> {
        let key = self.key(&key.into());
        let (value, read) = (Arc::new(value), fence.moment().stamp());
        self.insert(&key, tags, value.clone(), read, Duration::ZERO);
        value
    }

    /// Write-through: runs `change`, which commits and returns the value as it is then; invalidates the
    /// key and the tags everywhere; stores the new value.
    ///
    /// Of concurrent writers to one key none knows whose commit came last, so none of their values is
    /// stored, and the next read loads. If the caller is dropped while the change runs, the key and the
    /// tags are invalidated all the same, because the change may have been made.
    ///
    /// # Errors
    ///
    /// Those of `change`; the key and the tags are then invalidated as well. That the store cannot be
    /// reached is none: the change was made, and whether others know of it is [told](Written::told).
    pub async fn write<E>(
        &self,
        key: impl Into<CacheKey>,
        tags: &[Tag],
        change: impl Future<Output = Result<T, E>>,
    ) -> Result<Written<Arc<T>>, E> {
        let key = self.key(&key.into());
        let targets = targets(&key, tags);
        let log = self.engine.log();
        let before = log.stamp();
        let store = self.engine.store();
        let uncertain = match self.lease {
            Some(lease) => Uncertain::announced(store, targets.clone(), lease).await,
            None => Uncertain::quiet(store, targets.clone()),
        };
        let result = change.await;
        let ended = uncertain.ends().await;
        let value = Arc::new(result?);
        if let Ok(at) = ended
            && log.only_hit_at(before, at, &targets)
            && log.verdict(before, &[self.class.target]) == Verdict::Valid
        {
            self.insert(&key, tags, value.clone(), at, Duration::ZERO);
        }
        Ok(Written::new(value, ended))
    }

    /// Invalidates one value, everywhere.
    ///
    /// # Errors
    ///
    /// The store did not take it in time. It is in force in this process, and will be written.
    pub async fn invalidate(&self, key: impl Into<CacheKey>, mode: Mode) -> Result<(), StoreError> {
        let target = key_target(&self.key(&key.into()));
        let deadline = self.engine.store().step_deadline();
        self.engine.log().append(&[target], mode, deadline).await?;
        Ok(())
    }

    /// Lets no work begin in the background any more, waits for what is under way, and at the deadline ends it,
    /// as [`CacheHandle::shutdown`](crate::CacheHandle::shutdown) does. A cache that was made by a handle shares
    /// its background work with all that was: shut down the handle.
    pub async fn shutdown(&self, deadline: Duration) -> Unfinished {
        let engine = &self.engine;
        engine.background.shutdown(engine.log(), deadline).await
    }

    /// Counters since this cache was built.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.engine.stats()
    }
}

impl<T> Clone for ObjectCache<T> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            class: self.class.clone(),
            consistency: self.consistency,
            patience: self.patience,
            lease: self.lease,
        }
    }
}

impl<T> fmt::Debug for ObjectCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectCache")
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}
