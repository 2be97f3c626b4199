//! How a cache is made.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use tower_keep_store::{ConfigError, Consistency, Store};

use super::ObjectCache;
use crate::{
    class::{Class, Classes, NamedClass},
    engine::{Engine, background::Background},
};

impl<T> ObjectCache<T>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// A cache on its own. With a [`CacheLayer`](crate::CacheLayer), take
    /// [`CacheHandle::objects`](crate::CacheHandle::objects), and both share their classes.
    ///
    /// # Errors
    ///
    /// The class makes no sense; the error names the fault.
    pub fn of_class(store: Store, name: &str, class: Class) -> Result<Self, ConfigError> {
        let classes = Classes::new().class(name, class);
        classes.check(FIRST_LEVEL_BYTES)?;
        let class = classes.get(name).expect("just registered").clone();
        let background = Background::default();
        Ok(Self::new(
            store,
            class,
            FIRST_LEVEL_BYTES,
            PATIENCE,
            background,
        ))
    }

    pub(crate) fn new(
        store: Store,
        class: Arc<NamedClass>,
        first_level_bytes: u64,
        patience: Duration,
        background: Background,
    ) -> Self {
        let engine = Engine::new(store, "o", first_level_bytes, patience, background);
        if class.class.lease.is_some() {
            engine.expect_leases();
        }
        Self {
            engine: Arc::new(engine),
            class,
            consistency: Consistency::default(),
            patience,
            lease: None,
        }
    }

    /// Announces each [`write`](Self::write) before it begins, so that no process that has heard of it is served
    /// what was there before once it is committed. Costs a second record in the log and a second round trip for each write, and,
    /// while one is under way, the cache for what depends on it. `lease` bounds that should the writer die; let it
    /// be longer than a change takes. Default: not; then others may be served the state before, between the
    /// commit and the record (about a millisecond).
    #[must_use]
    pub fn announce_writes(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// How much of what was invalidated a hit takes account of. Default: [`Consistency::Eventual`], or that
    /// of the layer whose handle made this cache. With [`Consistency::Strict`] each hit costs a round trip,
    /// and while the log cannot be read each caller loads for itself.
    #[must_use]
    pub fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }
}

const FIRST_LEVEL_BYTES: u64 = 16 << 20;
const PATIENCE: Duration = Duration::from_secs(10);
