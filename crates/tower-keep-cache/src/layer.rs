//! The layer and its options.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, request::Parts};
use quick_cache::sync::Cache;
use tower_keep_store::{ConfigError, Consistency, Store};
use tower_layer::Layer;

use crate::{
    class::{Classes, DEFAULT_LARGEST_BODY, NamedClass, SHORTEST_LEASE, unknown_class},
    engine::{Engine, background::Background, timeouts::Timeouts},
    handle::CacheHandle,
    http::{
        key::{KeyRules, QueryRules},
        labels::{LabelRules, TagField},
        reporter::{DEFAULT_NAME, Reporter},
        status::CacheStatus,
        storing::StoringRules,
        targeted::TargetFields,
    },
    policy::CachePolicy,
    service::Cache as CacheService,
    shared::{MOST_UNSHARED, Predicate, Shared},
};

/// Caches the responses of the service that it wraps. See the [crate documentation](crate).
///
/// Clones, and the services that they make, share everything.
#[derive(Clone, Debug)]
pub struct CacheLayer {
    shared: Arc<Shared>,
}

impl CacheLayer {
    /// The safe preset: stores only responses that state their own lifetime (`Cache-Control`,
    /// `Expires`), or name a class.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self::builder(store).finish(Reporter::default())
    }

    /// Options first, then [`build`](CacheLayerBuilder::build).
    pub fn builder(store: Store) -> CacheLayerBuilder {
        CacheLayerBuilder {
            store,
            classes: Classes::new(),
            class: None,
            policy: CachePolicy::default(),
            targets: TargetFields::default(),
            keys: KeyRules::default(),
            labels: LabelRules::default(),
            status: CacheStatus::On,
            status_name: DEFAULT_NAME.into(),
            bypass: None,
            heeded: None,
            entity_tags: true,
            invalidate_on_unsafe: true,
            strip_set_cookie: false,
            first_level_bytes: 64 << 20,
            consistency: Consistency::default(),
            lease: None,
            keep: Duration::from_secs(3600),
            timeouts: Timeouts::default(),
            patience: Duration::from_secs(10),
        }
    }

    /// The same cache for a route whose responses are of this class, unless they state a lifetime of
    /// their own. It may stand alone around the route, or within the layer around all routes.
    ///
    /// # Errors
    ///
    /// There is no such class.
    pub fn class(&self, name: &str) -> Result<Self, ConfigError> {
        let mut shared = Shared::clone(&self.shared);
        shared.storing.class = Some(find_class(&shared.storing.classes, name)?);
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The way to invalidate and to look in from outside.
    #[must_use]
    pub fn handle(&self) -> CacheHandle {
        CacheHandle::new(self.shared.clone())
    }
}

impl<S> Layer<S> for CacheLayer {
    type Service = CacheService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CacheService::new(inner, self.shared.clone())
    }
}

/// Options of a [`CacheLayer`].
#[must_use]
pub struct CacheLayerBuilder {
    store: Store,
    classes: Classes,
    class: Option<Arc<str>>,
    policy: CachePolicy,
    targets: TargetFields,
    keys: KeyRules,
    labels: LabelRules,
    status: CacheStatus,
    status_name: Box<str>,
    bypass: Option<Arc<Predicate>>,
    heeded: Option<Arc<Predicate>>,
    entity_tags: bool,
    invalidate_on_unsafe: bool,
    strip_set_cookie: bool,
    first_level_bytes: u64,
    consistency: Consistency,
    lease: Option<Duration>,
    keep: Duration,
    timeouts: Timeouts,
    patience: Duration,
}

impl CacheLayerBuilder {
    /// The classes that handlers, routes and object caches may name. Default: none.
    pub fn classes(mut self, classes: Classes) -> Self {
        self.classes = classes;
        self
    }

    /// The class of responses that state no lifetime of their own. Default: none; they are not stored.
    pub fn class(mut self, name: impl Into<Arc<str>>) -> Self {
        self.class = Some(name.into());
        self
    }

    /// Which of the things that RFC 9111 allows are done. Default: [`CachePolicy::default`].
    pub fn policy(mut self, policy: CachePolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The response fields by which an origin speaks to this cache, and not to those behind it, in place of
    /// `Cache-Control` and `Expires`; the most specific first (RFC 9213). `CDN-Cache-Control`, or a
    /// field of one's own, is a dictionary of the same directives; one that cannot be read as that is as good as
    /// absent. `Surrogate-Control` is read in its older syntax, and origins are told in `Surrogate-Capability`
    /// that it will be, and that it may name `tower-keep`. The fields go on to the client. Default: none.
    pub fn targets(mut self, fields: impl IntoIterator<Item = HeaderName>) -> Self {
        self.targets = TargetFields::new(fields);
        self
    }

    /// Tells this layer's keys from those of other layers on the same namespace of a store. Needed where
    /// two layers see the same URIs and mean different things: two applications behind one host, or
    /// routers that are nested into another, which see paths without their prefix. Default: empty.
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.keys.name = name.into();
        self
    }

    /// How the query is part of the key. Default: all of it, as it is.
    pub fn query(mut self, rules: QueryRules) -> Self {
        self.keys.query = rules;
        self
    }

    /// Makes this request field part of every key. For what the handler looks at and the response's
    /// `Vary` does not name, such as a tenant's header.
    pub fn key_header(self, name: HeaderName) -> Self {
        self.key_part(move |request| {
            let lines = request.headers.get_all(&name).iter();
            let mut value = Vec::new();
            for line in lines {
                tower_keep_store::push_part(&mut value, line.as_bytes());
            }
            (!value.is_empty()).then_some(value)
        })
    }

    /// Makes what `part` finds in a request part of every key: a tenant, a role, one cookie. Only a digest
    /// of it is stored.
    pub fn key_part(
        mut self,
        part: impl Fn(&Parts) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        self.keys.parts.push(Arc::new(part));
        self
    }

    /// Leaves `X-Forwarded-Host`, `-Port`, `-Prefix`, `-Proto` and the host and scheme in `Forwarded` out
    /// of the key. Dangerous unless no handler makes a link, a redirect or a choice from them: whoever
    /// sends them chooses what others are answered. Default: they are part of the key.
    pub fn danger_ignore_forwarded(mut self) -> Self {
        self.keys.ignore_forwarded = true;
        self
    }

    /// Requests for which `predicate` is true go to the origin, and their responses are not stored.
    /// Whoever can make it true can make the origin work.
    pub fn bypass_when(
        mut self,
        predicate: impl Fn(&Parts) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.bypass = Some(Arc::new(predicate));
        self
    }

    /// Whose requests are [heeded](CachePolicy::heed_requests), where the policy heeds any: those that a trusted
    /// network sent, say. Asked only of requests that demand something. Default: all.
    pub fn heed_requests_when(
        mut self,
        predicate: impl Fn(&Parts) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.heeded = Some(Arc::new(predicate));
        self
    }

    /// Whether responses say what the cache did. Default: [`CacheStatus::On`].
    pub fn cache_status(mut self, status: CacheStatus) -> Self {
        self.status = status;
        self
    }

    /// Under which name this cache speaks in `Cache-Status`, where each cache on the way adds what it did: `edge`, a
    /// host name, whatever tells it from the others. A token, or else a string (RFC 9211 §2), so printable ASCII.
    /// Not part of any key; see [`name`](Self::name) for that. Default: `tower-keep`.
    pub fn cache_status_name(mut self, name: impl Into<Box<str>>) -> Self {
        self.status_name = name.into();
        self
    }

    /// Whether stored responses without an `ETag` get one, so that clients can be answered with 304.
    /// Default: yes.
    pub fn entity_tags(mut self, on: bool) -> Self {
        self.entity_tags = on;
        self
    }

    /// Whether a request with an unsafe method invalidates what is stored for its URI (RFC 9111 §4.4),
    /// unless the answer is a refusal (4xx; by some [policies](CachePolicy::rfc9111) also 5xx) or gRPC. One record in the log for each. Default: yes.
    pub fn invalidate_on_unsafe(mut self, on: bool) -> Self {
        self.invalidate_on_unsafe = on;
        self
    }

    /// Stores responses that set a cookie, without the cookie. Dangerous where the rest of the response
    /// is meant for one visitor too. Default: they are not stored.
    pub fn danger_strip_set_cookie(mut self) -> Self {
        self.strip_set_cookie = true;
        self
    }

    /// Takes the members of a response field as tags, such as `Surrogate-Key` or `Cache-Tag`. Default: none. These
    /// fields are written for another cache, further out: with more than 64 members, which such caches may
    /// take, a response would not be stored here. (`Cache-Groups` is a standard, and is always followed.)
    pub fn tag_field(mut self, field: TagField) -> Self {
        self.labels.add(field);
        self
    }

    /// Takes those fields off responses, whether they come from the origin or from the cache. For the outermost
    /// cache: they tell clients how things are named within, and are long. Default: they are passed on, for a
    /// cache further out may follow them too.
    pub fn hide_tag_fields(mut self) -> Self {
        self.labels.hide();
        self
    }

    /// Bytes that the first level, in this process, may hold. Default: 64 MiB. The largest entry is an
    /// eighth of it.
    pub fn first_level_bytes(mut self, bytes: u64) -> Self {
        self.first_level_bytes = bytes;
        self
    }

    /// How much of what was invalidated a hit takes account of. Default: [`Consistency::Eventual`]. With
    /// [`Consistency::Strict`] each hit costs a round trip, and while the log cannot be read each request goes
    /// to the origin for itself.
    pub fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    /// One fetch for all processes that share the store, with a lease of this length, for responses of routes
    /// that have no class; see [`Class::lease`](crate::Class::lease). Default: none.
    pub fn lease(mut self, length: Duration) -> Self {
        self.lease = Some(length);
        self
    }

    /// How long past its lifetime a response with a validator of the origin (`ETag`, `Last-Modified`) is kept,
    /// so that the origin need only confirm it (304). Default: 1 h. Zero: nothing is validated, and `no-cache`
    /// is not stored.
    pub fn keep(mut self, time: Duration) -> Self {
        self.keep = time;
        self
    }

    /// How long the origin may take where something stale could answer (`stale-if-error`): after that it does,
    /// and the fetch goes on in the background. A [class](crate::Class::soft_timeout) may say otherwise. Default: no
    /// bound.
    pub fn soft_timeout(mut self, time: Duration) -> Self {
        self.timeouts.soft = Some(time);
        self
    }

    /// How long the origin may take to the head of its response: then its future is dropped. What is stale
    /// answers (`stale-if-error`); else the client gets 504, with `detail=timeout` in `Cache-Status`, and those
    /// who waited for the same fetch too. A [class](crate::Class::hard_timeout) may say otherwise. Default: no bound.
    ///
    /// Not for what passes by the cache: unsafe methods, requests with a body and the like.
    pub fn hard_timeout(mut self, time: Duration) -> Self {
        self.timeouts.hard = Some(time);
        self
    }

    /// How long one request waits for another's fetch before it asks the origin itself, and how long a
    /// body is read on after its client has left. Default: 10 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The layer.
    ///
    /// # Errors
    ///
    /// Options that do not go together; the error names them.
    pub fn build(self) -> Result<CacheLayer, ConfigError> {
        self.classes.check(self.first_level_bytes)?;
        if self.first_level_bytes / 8 < DEFAULT_LARGEST_BODY as u64 {
            return Err(ConfigError::new(
                "first_level_bytes: under 8 MiB it cannot hold a body of 1 MiB",
            ));
        }
        if self.patience.is_zero() {
            return Err(ConfigError::new("patience: zero would collapse nothing"));
        }
        self.labels.check()?;
        self.timeouts
            .check()
            .map_err(|fault| ConfigError::new(format!("the layer: {fault}")))?;
        if self.lease.is_some_and(|lease| lease < SHORTEST_LEASE) {
            return Err(ConfigError::new(
                "lease: under 250 ms it is too short to be prolonged in time",
            ));
        }
        if let Some(name) = &self.class {
            find_class(&self.classes, name)?;
        }
        let reporter = Reporter::new(self.status, &self.status_name)
            .map_err(|fault| ConfigError::new(format!("cache_status_name: it {fault}")))?;
        Ok(self.finish(reporter))
    }

    /// The layer of options that are known to go together.
    fn finish(self, reporter: Reporter) -> CacheLayer {
        let class = self.class.as_ref().and_then(|name| self.classes.get(name));
        let has_leases = self.lease.is_some() || self.classes.have_leases();
        let storing = StoringRules {
            class: class.cloned(),
            classes: self.classes,
            policy: self.policy,
            targets: self.targets,
            strip_set_cookie: self.strip_set_cookie,
            keep: self.keep,
        };
        let background = Background::default();
        let engine = Engine::new(
            self.store,
            "c",
            self.first_level_bytes,
            self.patience,
            background,
        );
        if has_leases {
            engine.expect_leases();
        }
        CacheLayer {
            shared: Arc::new(Shared {
                engine: Arc::new(engine),
                unshared: Arc::new(Cache::new(MOST_UNSHARED)),
                keys: self.keys,
                storing,
                hidden: self.labels.hidden(),
                labels: self.labels,
                status: reporter,
                bypass: self.bypass,
                heeded: self.heeded,
                entity_tags: self.entity_tags,
                invalidate_on_unsafe: self.invalidate_on_unsafe,
                first_level_bytes: self.first_level_bytes,
                consistency: self.consistency,
                timeouts: self.timeouts,
                lease: self.lease,
                patience: self.patience,
            }),
        }
    }
}

impl std::fmt::Debug for CacheLayerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheLayerBuilder")
            .field("store", &self.store)
            .field("classes", &self.classes)
            .field("class", &self.class)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

fn find_class(classes: &Classes, name: &str) -> Result<Arc<NamedClass>, ConfigError> {
    classes
        .get(name)
        .cloned()
        .ok_or_else(|| unknown_class(name))
}
