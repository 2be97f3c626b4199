//! The cache from outside its service.

use std::{fmt, sync::Arc};

use http::Uri;
use serde::{Serialize, de::DeserializeOwned};
use tower_keep_store::{ConfigError, Mode, StoreError, Target};

use crate::{
    class::unknown_class, directive::Tag, engine::CacheStats, object::ObjectCache, shared::Shared,
};

/// Invalidates, looks in, and makes caches for values; independent of the layer's services, and never
/// reachable through them. Clones share everything.
///
/// An invalidation is in force in this process when the call begins, and everywhere about a millisecond
/// after it returned `Ok`. If it returns an error, the store could not be reached in time; the
/// invalidation stays in force here and is written when the store is back, if this process lives until
/// then.
#[derive(Clone)]
pub struct CacheHandle {
    shared: Arc<Shared>,
}

impl CacheHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Invalidates all that carries one of these tags, in one write, however much that is.
    ///
    /// # Errors
    ///
    /// The store did not take it in time.
    pub async fn invalidate(
        &self,
        tags: impl IntoIterator<Item = Tag>,
        mode: Mode,
    ) -> Result<(), StoreError> {
        let targets: Vec<_> = tags.into_iter().map(Target::from).collect();
        self.append(&targets, mode).await
    }

    /// Invalidates all entries of a class.
    ///
    /// # Errors
    ///
    /// The store did not take it in time.
    pub async fn invalidate_class(&self, name: &str, mode: Mode) -> Result<(), StoreError> {
        self.append(&[Target::new("class", name.as_bytes())], mode)
            .await
    }

    /// Invalidates all entries of the store's namespace, those of other layers and processes too.
    ///
    /// # Errors
    ///
    /// The store did not take it in time.
    pub async fn invalidate_everything(&self, mode: Mode) -> Result<(), StoreError> {
        self.append(&[Target::EVERYTHING], mode).await
    }

    /// Purges what is stored for one URI, with all its variants. `authority` is what clients send as
    /// `Host`, used where the URI has none of its own.
    ///
    /// # Errors
    ///
    /// The store did not take it in time.
    pub async fn purge(&self, authority: &str, uri: &Uri) -> Result<(), StoreError> {
        let authority = uri.authority().map_or(authority, |own| own.as_str());
        let target = self.shared.keys.target_of(uri, authority.as_bytes());
        self.append(&[target], Mode::Hard).await
    }

    /// A cache for values of one class, on the same store and log.
    ///
    /// Make it once and keep it; clones share it. Each call makes another one, with a first level of its
    /// own of [`first_level_bytes`](crate::CacheLayerBuilder::first_level_bytes), which does not wait for
    /// the loads of the others.
    ///
    /// # Errors
    ///
    /// There is no such class.
    pub fn objects<T>(&self, class: &str) -> Result<ObjectCache<T>, ConfigError>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let shared = &self.shared;
        let class = shared
            .storing
            .classes
            .get(class)
            .ok_or_else(|| unknown_class(class))?;
        let store = shared.engine.store().clone();
        let objects = ObjectCache::new(
            store,
            class.clone(),
            shared.first_level_bytes,
            shared.patience,
        );
        Ok(objects.consistency(shared.consistency))
    }

    /// Counters since the layer was built.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.shared.engine.stats()
    }

    async fn append(&self, targets: &[Target], mode: Mode) -> Result<(), StoreError> {
        let engine = &self.shared.engine;
        let deadline = engine.store().step_deadline();
        engine.log().append(targets, mode, deadline).await?;
        Ok(())
    }
}

impl fmt::Debug for CacheHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheHandle")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
