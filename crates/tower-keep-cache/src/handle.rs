//! The cache from outside its service.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_core::Stream;
use http::{Response, Uri, request};
use serde::{Serialize, de::DeserializeOwned};
use tower_keep_store::{ConfigError, Invalidations, Mode, StoreError, Target};

use crate::{
    class::unknown_class,
    dependency::Dependency,
    engine::{CacheStats, background::Unfinished, uncertain::Uncertain},
    events::{Changed, Follower, Following, Rules, effects},
    inspect::{Inspection, inspect, requests},
    object::{Fence, ObjectCache},
    put::{NotStored, put},
    shared::Shared,
    written::Written,
};

/// Tells the cache of changes, looks in, and makes caches for values; independent of the layer's services,
/// and never reachable through them. Clones share everything.
///
/// An invalidation is in force in this process when the call begins, and everywhere about a millisecond
/// after it returned `Ok`. If it returns an error, the store could not be reached in time; the
/// invalidation stays in force here and is written when the store is back, if this process lives until
/// then. Each call is one record in the log, whatever it names; calls that come together share one.
#[derive(Clone)]
pub struct CacheHandle {
    shared: Arc<Shared>,
    rules: Arc<Rules>,
    lease: Duration,
}

impl CacheHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            rules: Arc::default(),
            lease: LEASE,
        }
    }

    /// The same handle with rules for what [`changed`](Self::changed). Clones made from it have them too.
    ///
    /// # Errors
    ///
    /// Rules that contradict each other; the error names the fault.
    pub fn with_rules(self, rules: Rules) -> Result<Self, ConfigError> {
        Ok(Self {
            rules: Arc::new(rules.checked()?),
            ..self
        })
    }

    /// Invalidates all that depends on one of these, in one write, however much that is.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tower_keep_cache::{CacheLayer, Dependency, Tag};
    /// # use tower_keep_store::{Mode, Store};
    /// let cache = CacheLayer::new(Store::memory()).handle();
    /// cache.invalidate([Tag::of("candidate", 42)], Mode::Hard).await?;
    /// cache.invalidate([Dependency::group("example.com", "scripts")], Mode::Soft).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The store did not take it in time.
    pub async fn invalidate<D>(&self, dependencies: D, mode: Mode) -> Result<(), StoreError>
    where
        D: IntoIterator,
        D::Item: Into<Dependency>,
    {
        let keys = &self.shared.keys;
        let target = |it: D::Item| (it.into().target(keys), mode);
        let changes: Vec<_> = dependencies.into_iter().map(target).collect();
        self.shared.engine.append(&changes).await
    }

    /// Invalidates all entries of a class.
    ///
    /// # Errors
    ///
    /// The store did not take it in time.
    pub async fn invalidate_class(&self, name: &str, mode: Mode) -> Result<(), StoreError> {
        self.invalidate([Dependency::class(name)], mode).await
    }

    /// Invalidates all entries of the store's namespace, those of other layers and processes too.
    ///
    /// # Errors
    ///
    /// The store did not take it in time.
    pub async fn invalidate_everything(&self, mode: Mode) -> Result<(), StoreError> {
        self.invalidate([Dependency::everything()], mode).await
    }

    /// Purges what is stored for one URI, with all its variants. `authority` is what clients send as
    /// `Host`, used where the URI has none of its own.
    ///
    /// # Errors
    ///
    /// The store did not take it in time.
    pub async fn purge(&self, authority: &str, uri: &Uri) -> Result<(), StoreError> {
        let uri = Dependency::uri(authority, uri.clone());
        self.invalidate([uri], Mode::Hard).await
    }

    /// Something changed: invalidates what the [rules](Self::with_rules) say depends on it.
    ///
    /// Await it after the commit and before the change is reported as done: then no read that begins after
    /// the report is answered with what was before; in other processes from about a millisecond after it, or,
    /// where they are [strict](crate#how-new-a-hit-is), from the report on.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tower_keep_cache::{CacheLayer, Changed, Rules, Tag};
    /// # use tower_keep_store::Store;
    /// let rules = Rules::new().on("candidate", |it| [Tag::of("candidate", it.id())]);
    /// let cache = CacheLayer::new(Store::memory()).handle().with_rules(rules)?;
    /// cache.changed(Changed::new("candidate", 42)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The store did not take it in time.
    pub async fn changed(&self, event: Changed) -> Result<(), StoreError> {
        self.changes([event]).await
    }

    /// The same for several at once, such as those of one transaction: one write.
    ///
    /// # Errors
    ///
    /// The store did not take it in time.
    pub async fn changes(
        &self,
        events: impl IntoIterator<Item = Changed>,
    ) -> Result<(), StoreError> {
        let Shared { engine, keys, .. } = &*self.shared;
        let events: Vec<_> = events.into_iter().collect();
        let effects = effects(engine, &self.rules, keys, &events);
        engine.append(&effects).await
    }

    /// Runs a change of data (a transaction), with what depends on it *in doubt* from before it begins to after
    /// it was committed: meanwhile no process that has heard of it answers from what is stored of it, so that nobody
    /// is served the state before once the change is made. Then it is invalidated, hard. Others hear of it about a
    /// millisecond after it was written, [strict](crate#how-new-a-hit-is) ones before their next hit; one that is
    /// cut off answers from its memory for as long as the staleness bound.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tower_keep_cache::{CacheLayer, Tag};
    /// # use tower_keep_store::Store;
    /// # let cache = CacheLayer::new(Store::memory()).handle();
    /// let transaction = async {
    ///     // … UPDATE candidates …; COMMIT
    ///     Ok::<_, std::io::Error>("the new state")
    /// };
    /// let candidate = [Tag::of("candidate", 42)];
    /// let written = cache.write(candidate, transaction).await?;
    /// assert_eq!(written.value, "the new state");
    /// written.told?; // else others may be served the state before for a while
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Two records and two round trips, one before and one after; [`changed`](Self::changed) after a commit costs
    /// half of that, and leaves the millisecond between. If the caller is dropped while the change runs, the doubt
    /// ends and the invalidation is made all the same. If this process dies, the others end it when the
    /// [lease](Self::lease) is over. While the store cannot be reached the change is made without a doubt (each of
    /// the two waits for the store's deadline at the most), and the invalidation is in force here and written
    /// when it can be.
    ///
    /// # Errors
    ///
    /// Those of the change; what depends on it is then invalidated as well, because it may have been made.
    /// That the store could not be reached is none: the change was made, and whether others know of it is
    /// [told](Written::told).
    pub async fn write<D, T, E>(
        &self,
        dependencies: D,
        change: impl Future<Output = Result<T, E>>,
    ) -> Result<Written<T>, E>
    where
        D: IntoIterator,
        D::Item: Into<Dependency>,
    {
        let Shared { engine, keys, .. } = &*self.shared;
        let targets = dependencies.into_iter().map(|it| it.into().target(keys));
        let doubt = Uncertain::announced(engine.store(), targets.collect(), self.lease).await;
        let result = change.await;
        let ended = doubt.ends().await;
        result.map(|value| Written::new(value, ended))
    }

    /// The same handle with another lease for its [`write`](Self::write)s: how long the others refuse what
    /// depends on a change whose process has died. Longer than a change takes; one that takes longer is safe as
    /// far as its invalidation goes, but not in doubt to its end. Default: 10 s.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Takes note of the moment; see [`put`](Self::put).
    pub fn fence(&self) -> Fence {
        Fence::at(self.shared.engine.log().moment())
    }

    /// Stores a response as the answer to a GET request, as if the origin had given it: in this process at once,
    /// in the store in the background. What it was made from must have been read after `fence` was taken. By the
    /// same rules as any other: what may not be shared is not stored.
    ///
    /// To write through, change the data in a [`write`](Self::write), and after it take a fence, make the
    /// response, and put it.
    ///
    /// # Errors
    ///
    /// It was not stored, and why.
    pub fn put(
        &self,
        fence: Fence,
        request: &request::Parts,
        response: Response<Bytes>,
    ) -> Result<(), NotStored> {
        put(&self.shared, fence, request, response)
    }

    /// Follows a stream of changes in a task of its own, until the stream ends or the cache is gone (its
    /// layers, services and handles; the task does not keep it alive).
    ///
    /// What comes together is written together. While the store takes nothing, the changes are in force
    /// here, and wait; should they become too many, all of them become one: everything. A stream that may have
    /// lost something says so with [`Changed::missed`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn follow<S>(&self, stream: S) -> Following
    where
        S: Stream<Item = Changed> + Send + 'static,
    {
        let follower = Follower {
            engine: Arc::downgrade(&self.shared.engine),
            rules: self.rules.clone(),
            keys: self.shared.keys.clone(),
        };
        follower.follow(stream)
    }

    /// What is invalidated from now on in the store's namespace, by whichever layer, cache or process: for
    /// others who keep copies. See [`InvalidationLog::invalidations`](tower_keep_store::InvalidationLog::invalidations);
    /// a reader that is 1024 records behind is told that it missed some, which is to be treated as
    /// everything.
    ///
    /// The log knows targets by their digests only. Who follows it asks of what he keeps whether it is
    /// concerned:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tower_keep_cache::{CacheLayer, Tag};
    /// # use tower_keep_store::{Mode, Store};
    /// # let cache = CacheLayer::new(Store::memory()).handle();
    /// let mut invalidations = cache.invalidations();
    /// cache.invalidate([Tag::of("candidate", 42)], Mode::Hard).await?;
    /// let told = invalidations.next().await.expect("the cache is there");
    /// assert_eq!(told.mode_of(cache.target(Tag::of("candidate", 42))), Some(Mode::Hard));
    /// assert_eq!(told.mode_of(cache.target(Tag::of("candidate", 43))), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn invalidations(&self) -> Invalidations {
        self.shared.engine.log().invalidations()
    }

    /// What stands for it in the log.
    #[must_use]
    pub fn target(&self, dependency: impl Into<Dependency>) -> Target {
        dependency.into().target(&self.shared.keys)
    }

    /// What is stored for one URI, in this process and in the store, with all its variants: for those who run the
    /// cache, to see what would be used and what not, and why. Bodies are not told, and nothing is touched. Parts of
    /// what is not stored as a whole are not shown.
    ///
    /// `authority` is what clients send as `Host`, used where the URI has none of its own. As HTTP/1.1 does not
    /// tell the scheme, each that may have been is looked for: three reads of the store, and one for each variant.
    /// Where the key has [further parts](crate::CacheLayerBuilder::key_part), or proxies in front say what they
    /// received, see [`inspect_request`](Self::inspect_request).
    ///
    /// # Errors
    ///
    /// The store did not answer in time.
    pub async fn inspect(&self, authority: &str, uri: &Uri) -> Result<Vec<Inspection>, StoreError> {
        let mut found = Vec::new();
        for request in requests(authority, uri) {
            found.extend(inspect(&self.shared, &request).await?);
        }
        Ok(found)
    }

    /// The same for the key of exactly this request.
    ///
    /// # Errors
    ///
    /// The store did not answer in time.
    pub async fn inspect_request(
        &self,
        request: &request::Parts,
    ) -> Result<Vec<Inspection>, StoreError> {
        inspect(&self.shared, request).await
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
            shared.engine.background.clone(),
        );
        Ok(objects.consistency(shared.consistency))
    }

    /// Lets no fetch begin in the background any more, and waits for those under way there, for bodies that are
    /// read on after their client has left, for entries on their way into the store, and for invalidations on
    /// their way into the log; at the deadline ends what is left, and says what that was. The [object
    /// caches](Self::objects) of this handle are included.
    ///
    /// To be called when the server has answered its last request. Requests are answered afterwards too, from
    /// what is stored and by the origin; what they bring is not written into the store any more.
    /// Invalidations always are.
    pub async fn shutdown(&self, deadline: Duration) -> Unfinished {
        let engine = &self.shared.engine;
        engine.background.shutdown(engine.log(), deadline).await
    }

    /// Counters since the layer was built.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.shared.engine.stats()
    }
}

impl fmt::Debug for CacheHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheHandle")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// How long the others wait for the end of a write.
const LEASE: Duration = Duration::from_secs(10);
