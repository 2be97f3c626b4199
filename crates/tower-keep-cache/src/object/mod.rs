//! Values in application code: cache-aside and write-through.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use tower_keep_store::{
    ConfigError, Consistency, LookupKind, Mode, Moment, Outcome, Stamp, Store, StoreError, Target,
    Told, Verdict, Watch, push_part,
};

pub use self::key::CacheKey;
use self::{loading::Loading, value::Object};

use crate::{
    class::{Class, Classes, NamedClass},
    directive::Tag,
    engine::{
        CacheStats, Engine,
        background::{Background, Unfinished},
        early,
        entry::{Entry, Meta, Usability},
        flight::{Ending, Joined, Lead, Source},
        lease::Seen,
        strict::Ahead,
        uncertain::Uncertain,
    },
};

mod contending;
mod key;
mod loading;
mod refresh;
mod value;

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

/// A moment before a change or a read, from which on nothing may have been invalidated if a value made
/// since then is to be stored.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Fence(Moment);

impl Fence {
    pub(crate) fn at(moment: Moment) -> Self {
        Self(moment)
    }

    pub(crate) fn moment(self) -> Moment {
        self.0
    }
}

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

    /// The value under `key`, loaded if it is not there. `tags` are what a loaded value depends on.
    ///
    /// Concurrent calls for one key share one load. If the caller that loads is dropped, another one
    /// loads. A value in its `stale_while_revalidate` window, or [shortly before its
    /// end](Class::early_refresh), is served at once to all but the one that refreshes it, who waits for his
    /// loader ([`get_or_refresh`](Self::get_or_refresh) lets nobody wait); one in its `stale_if_error` window is
    /// served when the loader fails.
    ///
    /// With a [lease](Class::lease) concurrent calls in all processes share one load.
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
        Fence(self.engine.log().moment())
    }

    /// Stores a value that was read after `fence` was taken, unless something that it depends on has
    /// been invalidated since. For values that come by another way than the loader.
    ///
    /// Not for changes: what other processes hold stays. Changes go through [`write`](Self::write).
    pub fn put(&self, fence: Fence, key: impl Into<CacheKey>, tags: &[Tag], value: T) -> Arc<T> {
        let key = self.key(&key.into());
        let value = Arc::new(value);
        self.insert(&key, tags, value.clone(), fence.0.stamp(), Duration::ZERO);
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
    /// reached is no error: the invalidation is in force here, and is written when it can be.
    pub async fn write<E>(
        &self,
        key: impl Into<CacheKey>,
        tags: &[Tag],
        change: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E> {
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
        let appended = uncertain.ends().await;
        let value = Arc::new(result?);
        if let Ok(at) = appended
            && log.only_hit_at(before, at, &targets)
            && log.verdict(before, &[self.class.target]) == Verdict::Valid
        {
            self.insert(&key, tags, value.clone(), at, Duration::ZERO);
        }
        Ok(value)
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

    async fn get<E, F>(
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

    async fn find_strictly(&self, key: &[u8]) -> Way<T> {
        let is_embedded = self.engine.store().is_embedded();
        if self.consistency == Consistency::Eventual || is_embedded {
            return self.find_way(key, None).await;
        }
        let is_absent = self.engine.first(key, self.engine.now()).is_none();
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
            if let Some((entry, usability)) = engine.first(key, engine.now()) {
                match usability {
                    Usability::Fresh => return self.answered(key, entry, Outcome::Hit, None),
                    Usability::Stale => return self.answered(key, entry, Outcome::Stale, None),
                    // The loader failed a moment ago: it is left alone for a while.
                    Usability::OnError if !engine.may_refresh(&entry, engine.now()) => {
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
    ) -> Way<T> {
        let (engine, now) = (&self.engine, self.engine.now());
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
        let found = self.engine.first(key, self.engine.now());
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
        self.answered(key, entry, outcome, looked.seen)
    }

    fn insert(
        &self,
        key: &[u8],
        tags: &[Tag],
        value: Arc<T>,
        stamp: Stamp,
        cost: Duration,
    ) -> Arc<Entry<Object<T>>> {
        let entry = self.entry(key, tags, value, stamp, cost);
        self.engine.insert(entry)
    }

    fn entry(
        &self,
        key: &[u8],
        tags: &[Tag],
        value: Arc<T>,
        stamp: Stamp,
        cost: Duration,
    ) -> Entry<Object<T>> {
        let class = &self.class.class;
        let now = self.engine.now();
        let fresh_until = now + class.jittered(now);
        let mut targets = targets(key, tags);
        targets.push(self.class.target);
        let object = Object::new(value);
        let fits = object.weight <= class.largest_body;
        let meta = Meta {
            stamp,
            targets: targets.into(),
            received: now,
            fresh_until,
            stale_until: fresh_until + class.stale_while_revalidate,
            error_until: fresh_until + class.stale_if_error,
            kept_until: fresh_until,
            cost,
            early: early::mean_lead(cost, class.early_refresh),
            first_level: class.first_level && fits,
            store: class.store && fits,
        };
        Entry::new(key.into(), meta, object)
    }

    /// Values of one class and key may be of another type elsewhere: then they do not decode, and are
    /// misses.
    fn key(&self, key: &CacheKey) -> Vec<u8> {
        full_key(&self.class.name, key)
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

type Found<T> = Arc<Entry<Object<T>>>;

enum Way<T> {
    Answer(Found<T>, Outcome),
    /// It may answer, and is to be refreshed.
    Refresh(Refreshing<T>),
    /// With what answers if the load fails.
    Load(Option<Lead<Object<T>>>, Option<Found<T>>),
}

/// A refresh that somebody is to make.
struct Refreshing<T> {
    entry: Found<T>,
    outcome: Outcome,
    lead: Lead<Object<T>>,
    /// It has just come from the store, and was this there.
    seen: Option<Seen>,
}

fn tell(watch: Option<Watch<'_>>, told: Told) {
    if let Some(watch) = watch {
        watch.tell(told);
    }
}

/// The loader took what it took when the entry was loaded, wherever that was.
fn told<T>(entry: &Entry<Object<T>>, outcome: Outcome) -> Told {
    Told::from(outcome).origin_time(entry.meta.cost)
}

fn targets(key: &[u8], tags: &[Tag]) -> Vec<Target> {
    let tags = tags.iter().map(|tag| Target::from(*tag));
    std::iter::once(key_target(key)).chain(tags).collect()
}

fn full_key(class: &str, key: &CacheKey) -> Vec<u8> {
    let mut full = vec![FORMAT];
    push_part(&mut full, class.as_bytes());
    full.extend_from_slice(&key.0);
    full
}

/// What stands for one value of a class.
pub(crate) fn object_target(class: &str, key: &CacheKey) -> Target {
    key_target(&full_key(class, key))
}

fn key_target(key: &[u8]) -> Target {
    Target::new("object", key)
}

/// First byte of every key; another one when their making changes.
const FORMAT: u8 = 1;

const FIRST_LEVEL_BYTES: u64 = 16 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a caller looks again when what it waited for was not for it; then it loads itself.
const MOST_ROUNDS: usize = 4;
