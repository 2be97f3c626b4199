//! The layer and its options.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Response;
use tower_keep_store::{ConfigError, Key as StoreKey, Store};
use tower_layer::Layer;

use crate::{
    answer::{Answers, RefusalBody},
    handle::RateLimitHandle,
    limits::{Limit, Limits, OnFailure},
    place::Place,
    policy::Policy,
    quota::Quota,
    quotas::Quotas,
    service::RateLimit,
    stats::Counters,
    status::RateLimitStatus,
};

/// Limits the rate of requests to the service that it wraps. See the [crate documentation](crate).
///
/// Clones, and the services that they make, share everything; and so do layers with policies of one name on
/// one store, in whichever process.
#[derive(Clone, Debug)]
pub struct RateLimitLayer {
    limits: Arc<Limits>,
}

impl RateLimitLayer {
    /// The safe preset: 100 requests per 60 seconds for each client address.
    ///
    /// It needs to know the address of the other end of the connection: see [`ClientIp`](crate::ClientIp).
    /// Where the server does not leave it, or behind a proxy, all clients share one bucket. (The first is
    /// warned of, once; for the second, [trust the proxy](crate::ClientIp::trusted_proxies).)
    #[must_use]
    pub fn new(store: Store) -> Self {
        let policy = Policy::new("default", Quota::per_minute(100));
        let layer = Self::builder(store).policy(policy).build();
        layer.expect("the preset makes sense")
    }

    /// Policies and options first, then [`build`](RateLimitLayerBuilder::build).
    pub fn builder(store: Store) -> RateLimitLayerBuilder {
        RateLimitLayerBuilder {
            store,
            policies: Vec::new(),
            answers: Answers::default(),
            on_failure: OnFailure::Share,
            epsilon: None,
            deadline: None,
        }
    }

    /// The way to look in and to interfere from outside.
    #[must_use]
    pub fn handle(&self) -> RateLimitHandle {
        RateLimitHandle::new(self.limits.clone())
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimit::new(inner, self.limits.clone())
    }
}

/// Options of a [`RateLimitLayer`].
#[derive(Debug)]
#[must_use]
pub struct RateLimitLayerBuilder {
    store: Store,
    policies: Vec<Policy>,
    answers: Answers,
    on_failure: OnFailure,
    epsilon: Option<f64>,
    deadline: Option<Duration>,
}

impl RateLimitLayerBuilder {
    /// Adds a policy. All policies of a layer are decided at once: a request that one of them refuses is
    /// charged to none.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policies.push(policy);
        self
    }

    /// The longest a request waits for the store: more than zero, at most an hour. Default: the store's own,
    /// 50 ms.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Refuses with 503 while the store fails. Default: this process goes on with its share, the limit
    /// divided by the number of processes.
    pub fn fail_closed(mut self) -> Self {
        self.on_failure = OnFailure::Closed;
        self
    }

    /// Limits nothing while the store fails: whoever can make it fail is not limited. Default: this process
    /// goes on with its share, the limit divided by the number of processes.
    pub fn allow_on_failure(mut self) -> Self {
        self.on_failure = OnFailure::Open;
        self
    }

    /// Takes permits in advance for busy callers, so that most of their requests need no round trip.
    ///
    /// Permits are charged when they are taken. In any interval at most `epsilon` of the limit more can be
    /// used than without, in the long run nothing; permits that are not used in time (`epsilon` of the
    /// window) lapse. Where little is left, none are taken. Above 0, at most 0.5; default: off. Without
    /// effect on the embedded store, and on requests that a concurrent quota, an outcome cost or a shadow
    /// concerns.
    pub fn allow_leases(mut self, epsilon: f64) -> Self {
        self.epsilon = Some(epsilon);
        self
    }

    /// Whether responses say how the policies stand, in `RateLimit-Policy` and `RateLimit`
    /// (draft-ietf-httpapi-ratelimit-headers). Default: yes.
    ///
    /// `"a";r=12;t=37` tells that 12 units are to do for 37 seconds: until all is there again, or longer if 12
    /// over that time were faster than the policy. With `r=0`, `t` is the time until a unit is there again; in
    /// a refusal, that of `Retry-After`. Slots have no `t`. Shadows are not told; nor is what is left where no
    /// store was asked ([`TooCostly`](crate::Refusal::TooCostly),
    /// [`Unidentified`](crate::Refusal::Unidentified)): those refusals have only `RateLimit-Policy`.
    pub fn fields(mut self, on: bool) -> Self {
        self.answers.fields = on;
        self
    }

    /// Whether they also say it in `X-RateLimit-Limit`, `-Remaining` and `-Reset` (seconds). Default: no.
    pub fn legacy_fields(mut self, on: bool) -> Self {
        self.answers.legacy = on;
        self
    }

    /// What refusals look like. Default: [`RefusalBody::Problem`].
    pub fn refusal_body(mut self, body: RefusalBody) -> Self {
        self.answers.body = body;
        self
    }

    /// Makes refusals; `Retry-After`, `Cache-Control: no-store` and the fields are added where they are
    /// missing. Calls of gRPC are refused as gRPC wants it all the same: to log refusals, look for the
    /// [`RateLimitStatus`] in the extensions of responses, which all of them carry.
    pub fn refuse_with(
        mut self,
        refusal: impl Fn(&RateLimitStatus) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.answers.custom = Some(Arc::new(refusal));
        self
    }

    /// The layer.
    ///
    /// # Errors
    ///
    /// A policy makes no sense, there is none, or two have one name; the error names them. Or an option of the
    /// layer makes none.
    pub fn build(self) -> Result<RateLimitLayer, ConfigError> {
        if self.policies.is_empty() {
            return Err(ConfigError::new("a layer without a policy limits nothing"));
        }
        let is_fraction = |epsilon: f64| epsilon > 0.0 && epsilon <= 0.5;
        if self.epsilon.is_some_and(|epsilon| !is_fraction(epsilon)) {
            return Err(ConfigError::new(
                "allow_leases: the share is more than 0 and at most 0.5",
            ));
        }
        let is_deadline = |deadline: Duration| !deadline.is_zero() && deadline <= LONGEST_DEADLINE;
        if self.deadline.is_some_and(|deadline| !is_deadline(deadline)) {
            return Err(ConfigError::new(
                "deadline: it is more than zero and at most an hour",
            ));
        }
        let policies = check(self.policies)?;
        let store = match self.deadline {
            Some(deadline) => self.store.deadline(deadline),
            None => self.store,
        };
        Ok(RateLimitLayer {
            limits: Arc::new(Limits {
                place: Place::of(&store),
                store,
                policies,
                answers: self.answers,
                on_failure: self.on_failure,
                epsilon: self.epsilon,
                quotas: Quotas::new(),
                counters: Counters::default(),
            }),
        })
    }
}

fn check(policies: Vec<Policy>) -> Result<Box<[Limit]>, ConfigError> {
    let mut limits = Vec::<Limit>::with_capacity(policies.len());
    for (index, policy) in policies.into_iter().enumerate() {
        let part = part(&policy.name);
        if limits.iter().any(|other| other.part == part) {
            let error = ConfigError::new("another policy of the layer has the same name");
            return Err(policy.blame(&error));
        }
        limits.push(Limit::new(index, policy, part)?);
    }
    Ok(limits.into_boxed_slice())
}

/// Tells the buckets of policies apart, in few bytes.
fn part(name: &str) -> u32 {
    let [a, b, c, d, ..] = StoreKey::new("policy", name.as_bytes()).digest();
    u32::from_be_bytes([a, b, c, d])
}

/// Nobody waits that long; and an instant has an end.
const LONGEST_DEADLINE: Duration = Duration::from_secs(3600);
