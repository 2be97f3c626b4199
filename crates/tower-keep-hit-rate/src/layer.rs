//! The layer and its options.

use std::{borrow::Cow, sync::Arc, time::Duration};

use http::request::Parts;
use tower_keep_store::{ConfigError, Observer, Store};
use tower_layer::Layer;

use crate::{
    cluster, handle::HitRateHandle, label::Labels, monitor::Monitor, rules::Rules,
    server_timing::ServerTiming, service::HitRate,
};

/// Tells of the service that it wraps how caching does. See the [crate documentation](crate).
///
/// Clones, and the services that they make, count together.
#[derive(Clone, Debug)]
pub struct HitRateLayer {
    monitor: Arc<Monitor>,
}

impl HitRateLayer {
    /// The layer, and the way to read what it has counted.
    #[must_use]
    pub fn pair(store: Store) -> (Self, HitRateHandle) {
        let pair = Self::builder(store).build();
        pair.expect("the preset makes sense")
    }

    /// Options first, then [`build`](HitRateLayerBuilder::build).
    pub fn builder(store: Store) -> HitRateLayerBuilder {
        HitRateLayerBuilder {
            store,
            rules: Rules::default(),
        }
    }
}

impl<S> Layer<S> for HitRateLayer {
    type Service = HitRate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HitRate::new(inner, self.monitor.clone())
    }
}

/// Options of a [`HitRateLayer`].
#[derive(Debug)]
#[must_use]
pub struct HitRateLayerBuilder {
    store: Store,
    rules: Rules,
}

impl HitRateLayerBuilder {
    /// Names the class of a request. What is borrowed from it costs no allocation. Without a name from
    /// here, and by default, it is axum's route (with the feature `axum`), the method of gRPC, or
    /// `unmatched`.
    ///
    /// There are at most 256 classes; further labels are one class, `other`. Labels are cut after 128
    /// bytes. Name kinds of requests, never whatever the client sends.
    ///
    /// ```
    /// # use tower_keep_hit_rate::HitRateLayer;
    /// # use tower_keep_store::Store;
    /// let (layer, hit_rate) = HitRateLayer::builder(Store::memory())
    ///     .label(|head| head.uri.path().starts_with("/api/").then(|| "api".into()))
    ///     .build()?;
    /// # Ok::<_, tower_keep_store::ConfigError>(())
    /// ```
    pub fn label(
        mut self,
        label: impl for<'a> Fn(&'a Parts) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    ) -> Self {
        self.rules.labels = Labels::own(label);
        self
    }

    /// The hit rate below which a class is to be [tuned](crate::Verdict::Tune). Default: 0.8.
    pub fn tune_below(mut self, rate: f64) -> Self {
        self.rules.thresholds.tune = rate;
        self
    }

    /// The hit rate above which a class is [excellent](crate::Verdict::Excellent). Default: 0.9.
    pub fn excellent_above(mut self, rate: f64) -> Self {
        self.rules.thresholds.excellent = rate;
        self
    }

    /// How many lookups a verdict needs, at least one. Default: 200.
    pub fn least_lookups(mut self, lookups: u64) -> Self {
        self.rules.thresholds.lookups = lookups;
        self
    }

    /// How long a class is not judged after its first request, and what comes in that time is not judged
    /// later either: a cache that is still empty misses. Default: a minute.
    pub fn warm_up(mut self, warm_up: Duration) -> Self {
        self.rules.warm_up = u64::try_from(warm_up.as_nanos()).unwrap_or(u64::MAX);
        self
    }

    /// The milliseconds that caching must save in each second to be [worth
    /// it](crate::Worth::WorthIt). Default: 1.
    pub fn worth_from(mut self, ms_per_second: f64) -> Self {
        self.rules.worth = ms_per_second;
        self
    }

    /// Tells the paths and queries of the hottest keys, to whoever can read the snapshot. Default: only
    /// numbers by which they can be told apart, which mean nothing in another process.
    pub fn allow_key_names(mut self) -> Self {
        self.rules.named_keys = true;
        self
    }

    /// Adds `Server-Timing` to the answers of these requests: `cache;desc=hit;dur=1.2, origin;dur=830`, in
    /// milliseconds to the head. `origin` is what the origin took; for what came from the cache, when its entry
    /// was fetched. Default: no answer.
    ///
    /// Whoever reads it knows whether somebody has asked for the same before him: keep it to those who work on
    /// the service, by a secret they send, say. (An `IdentifyLayer` around this layer tells it who is logged in, too.
    /// But then it stands around the cache, which stores for users only what says that it is for all.)
    ///
    /// A cache further out would store it with the answer, and tell it to everybody: where this layer stands inside
    /// of one, or there is a shared cache in front, leave it off.
    pub fn server_timing(mut self, of: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.rules.server_timing = ServerTiming::when(of);
        self
    }

    /// How often this process tells the others how it stands, where the store is a server, from 10
    /// milliseconds to an hour; the same in all processes. What it told lives sixty times as long. Default: 5 s.
    pub fn cluster_every(mut self, interval: Duration) -> Self {
        self.rules.cluster_every = Some(interval);
        self
    }

    /// Tells the other processes nothing, and has no [view](HitRateHandle::cluster) of them. Default: it does.
    pub fn without_cluster(mut self) -> Self {
        self.rules.cluster_every = None;
        self
    }

    /// The layer, and the way to read what it has counted.
    ///
    /// # Errors
    ///
    /// A threshold makes no sense; the error names it.
    pub fn build(self) -> Result<(HitRateLayer, HitRateHandle), ConfigError> {
        let thresholds = &self.rules.thresholds;
        let (tune, excellent) = (thresholds.tune, thresholds.excellent);
        if !(0.0 < tune && tune <= excellent && excellent < 1.0) {
            return Err(ConfigError::new(
                "tune_below, excellent_above: rates between 0 and 1, the second not less than the first",
            ));
        }
        if thresholds.lookups == 0 {
            return Err(ConfigError::new("least_lookups: at least one"));
        }
        if !(self.rules.worth.is_finite() && self.rules.worth >= 0.0) {
            return Err(ConfigError::new("worth_from: zero or more"));
        }
        let is_sane = |every| (SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(every);
        if !self.rules.cluster_every.as_ref().is_none_or(is_sane) {
            return Err(ConfigError::new(
                "cluster_every: from 10 milliseconds to an hour",
            ));
        }
        let (clock, evictions) = (self.store.clock(), self.store.evictions().clone());
        let monitor = Arc::new(Monitor::new(clock, evictions, self.rules));
        let observer: Arc<dyn Observer> = monitor.clone();
        self.store.observe(&observer);
        cluster::begin(&self.store, &monitor);
        let handle = HitRateHandle::new(monitor.clone());
        Ok((HitRateLayer { monitor }, handle))
    }
}

const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);
