//! A policy: who may do how much.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use http::{request, response};

use tower_keep_store::ConfigError;

use crate::{answer::check_name, key::Key, quota::Quota, rule::Rule};

/// A named limit: a [`Quota`] for each value of a [`Key`].
///
/// ```
/// # use std::time::Duration;
/// # use tower_keep_rate_limit::{Key, Policy, Quota};
/// let per_merchant = Policy::new("merchant", Quota::per_minute(100)).by(Key::header("x-merchant-id"));
///
/// # fn account(_: &http::request::Parts) -> Option<String> { None }
/// // Five failed logins in any quarter of an hour, for each account (spelled in one way) and address. Against
/// // one address that tries many accounts, add a policy by address alone.
/// let logins = Policy::new("login", Quota::new(5, Duration::from_secs(15 * 60)).strict())
///     .by(Key::from_fn(account).and(Key::client_ip()))
///     .allow_when(|head| head.uri.path() != "/login")
///     .count_if(|response| response.status == 401);
/// # let _ = (per_merchant, logins);
/// ```
///
/// What a policy asks of a request it asks of its head, [`http::request::Parts`]; only
/// [`outcome_cost`](Self::outcome_cost) and [`count_if`](Self::count_if) are given the head of a response,
/// [`http::response::Parts`].
#[derive(Clone)]
#[must_use]
pub struct Policy {
    pub(crate) name: Arc<str>,
    pub(crate) quota: Quota,
    pub(crate) key: Key,
    pub(crate) missing: MissingKey,
    pub(crate) cost: Option<CostOf>,
    pub(crate) outcome: Option<OutcomeCost>,
    pub(crate) reserve: Option<Reserve>,
    pub(crate) source: QuotaSource,
    pub(crate) ban: Option<BanRule>,
    pub(crate) allow_when: Option<Predicate>,
    pub(crate) is_shadow: bool,
    /// What was asked for twice, in ways that do not go together.
    contradiction: Option<&'static str>,
}

/// What happens to requests that do not say whose they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissingKey {
    Shared,
    Refused,
    Allowed,
}

pub(crate) type Predicate = Arc<dyn Fn(&request::Parts) -> bool + Send + Sync>;
pub(crate) type CostOf = Arc<dyn Fn(&request::Parts) -> u32 + Send + Sync>;
pub(crate) type OutcomeCost = Arc<dyn Fn(&response::Parts) -> u32 + Send + Sync>;
pub(crate) type QuotaNow = Arc<dyn Fn(&request::Parts) -> Option<Quota> + Send + Sync>;
pub(crate) type QuotaFuture = Pin<Box<dyn Future<Output = Option<Quota>> + Send>>;
pub(crate) type QuotaLater = Arc<dyn Fn(&request::Parts) -> QuotaFuture + Send + Sync>;

/// Units that only some requests may use.
#[derive(Clone)]
pub(crate) struct Reserve {
    pub(crate) units: u32,
    pub(crate) is_for: Predicate,
}

/// Where the quota of a key comes from.
#[derive(Clone)]
pub(crate) enum QuotaSource {
    Fixed,
    Now(QuotaNow),
    Later(QuotaLater),
    Stored,
}

/// When to ban.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BanRule {
    pub(crate) denials: u32,
    pub(crate) length: Duration,
    pub(crate) longest: Duration,
}

impl Policy {
    /// A policy of this name (printable ASCII, up to 64 characters), by the client's address unless
    /// [`by`](Self::by) says otherwise.
    ///
    /// The name is part of what is stored: two layers on one store with policies of one name share their
    /// buckets.
    pub fn new(name: impl Into<Arc<str>>, quota: Quota) -> Self {
        Self {
            name: name.into(),
            quota,
            key: Key::client_ip().into(),
            missing: MissingKey::Shared,
            cost: None,
            outcome: None,
            reserve: None,
            source: QuotaSource::Fixed,
            ban: None,
            allow_when: None,
            is_shadow: false,
            contradiction: None,
        }
    }

    /// Whose requests are counted together. Default: those of one [client address](Key::client_ip).
    pub fn by(mut self, key: impl Into<Key>) -> Self {
        self.key = key.into();
        self
    }

    /// Refuses requests without a key with 400. Default: they share one bucket, "anonymous".
    pub fn refuse_missing_key(mut self) -> Self {
        self.missing = MissingKey::Refused;
        self
    }

    /// Does not limit requests without a key. Whoever leaves the key out is not limited by this policy: put
    /// another one beside it. Default: they share one bucket, "anonymous".
    pub fn allow_missing_key(mut self) -> Self {
        self.missing = MissingKey::Allowed;
        self
    }

    /// Does not limit requests for which this is true. Whoever can make it true is not limited.
    pub fn allow_when(
        mut self,
        predicate: impl Fn(&request::Parts) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.allow_when = Some(Arc::new(predicate));
        self
    }

    /// Units that a request costs. Default: 1. One that costs nothing always passes; one that costs more than
    /// the quota ever has at once never does. By axum's route, say, with a layer on the router:
    ///
    /// ```
    /// # #[cfg(feature = "axum")] {
    /// use axum::extract::MatchedPath;
    /// # use tower_keep_rate_limit::{Policy, Quota};
    ///
    /// let policy = Policy::new("client", Quota::per_minute(100)).cost(|head| {
    ///     match head.extensions.get::<MatchedPath>().map(MatchedPath::as_str) {
    ///         Some("/reports/{id}") => 10,
    ///         Some("/health") => 0,
    ///         _ => 1,
    ///     }
    /// });
    /// # let _ = policy; }
    /// ```
    pub fn cost(mut self, cost: impl Fn(&request::Parts) -> u32 + Send + Sync + 'static) -> Self {
        self.cost = Some(Arc::new(cost));
        self
    }

    /// Units that a request costs after all, by the head of its *response*. What it [costs](Self::cost) at
    /// first is reserved, so that nothing is exceeded by requests under way at the same time; the difference
    /// is given back, or taken too (as a debt, if it is not there). A request that ends without a response
    /// costs what was reserved.
    ///
    /// Refusals are then decided by the store each time, because units may come back at any time. For the
    /// same reason `Retry-After` is the longest that it can take: the time in case all that are under way cost
    /// what was reserved.
    pub fn outcome_cost(
        mut self,
        cost: impl Fn(&response::Parts) -> u32 + Send + Sync + 'static,
    ) -> Self {
        if self.outcome.replace(Arc::new(cost)).is_some() {
            self.contradiction = Some(TWO_OUTCOMES);
        }
        self
    }

    /// Counts only requests whose *response* makes this true: failed logins, say. While it is under way, each
    /// counts, so that no more can fail than the quota allows; see [`outcome_cost`](Self::outcome_cost), of
    /// which this is the usual case.
    pub fn count_if(
        self,
        predicate: impl Fn(&response::Parts) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.outcome_cost(move |response| u32::from(predicate(response)))
    }

    /// Keeps the last `units` for requests for which this is true. Whoever can make it true has them.
    pub fn reserve(
        mut self,
        units: u32,
        is_for: impl Fn(&request::Parts) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.reserve = Some(Reserve {
            units,
            is_for: Arc::new(is_for),
        });
        self
    }

    /// The quota for a request; where there is none, the policy's own. A quota that makes no sense counts as
    /// none.
    ///
    /// What was used stays used: of a quota that forgets evenly the same share of its burst's time, of
    /// others the same number of units. (Of a strict or fixed window whose *length* changes it is not known
    /// which part of it that was: units may then count for longer, or not at all.)
    pub fn quota_by(
        self,
        quota: impl Fn(&request::Parts) -> Option<Quota> + Send + Sync + 'static,
    ) -> Self {
        self.source(QuotaSource::Now(Arc::new(quota)))
    }

    /// The same from somewhere that takes time. It is asked once a second for each key, and a request waits
    /// for it, without a deadline. The future cannot borrow the request, nor the closure: it takes what it
    /// needs before it begins to wait.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tower_keep_rate_limit::{Key, Policy, Quota};
    /// # struct Plans;
    /// # impl Plans { async fn per_minute(&self, _: Option<&str>) -> Option<u32> { None } }
    /// # let plans = Arc::new(Plans);
    /// let tenant = Key::header("x-tenant");
    /// let policy = Policy::new("tenant", Quota::per_minute(100)).by(tenant).quota_by_async(move |head| {
    ///     let plans = plans.clone();
    ///     let tenant = head.headers.get("x-tenant").cloned();
    ///     async move {
    ///         let tenant = tenant.as_ref().and_then(|tenant| tenant.to_str().ok());
    ///         plans.per_minute(tenant).await.map(Quota::per_minute)
    ///     }
    /// });
    /// # let _ = policy;
    /// ```
    pub fn quota_by_async<Answer>(
        self,
        quota: impl Fn(&request::Parts) -> Answer + Send + Sync + 'static,
    ) -> Self
    where
        Answer: Future<Output = Option<Quota>> + Send + 'static,
    {
        self.source(QuotaSource::Later(Arc::new(move |request| {
            Box::pin(quota(request))
        })))
    }

    /// Lets the quota of a key be changed while the application runs, in all processes, by
    /// [`RateLimitHandle::adjust`](crate::RateLimitHandle::adjust). Costs a `GET` once a second for each key,
    /// and the request that waits for it up to a deadline more.
    pub fn adjustable(self) -> Self {
        self.source(QuotaSource::Stored)
    }

    /// Bans a key for `length` after `denials` refusals within one window, as this process counts them. Each
    /// ban that follows another within its length again is twice as long, up to `longest`. A ban holds in all
    /// processes.
    ///
    /// Requests whose key is missing share a bucket, and are banned together: use
    /// [`refuse_missing_key`](Self::refuse_missing_key). Not for [shadows](Self::shadow).
    pub fn ban_after(mut self, denials: u32, length: Duration, longest: Duration) -> Self {
        self.ban = Some(BanRule {
            denials,
            length,
            longest,
        });
        self
    }

    /// Only counts, and says in the [status](crate::RateLimitStatus) and the
    /// [statistics](crate::RateLimitStats::shadow_refused) what it would have refused: a policy of the status
    /// that [is a shadow](crate::PolicyStatus::is_shadow) and has a time to
    /// [retry after](crate::PolicyStatus::retry_after). (A missing key that it would have refused is only in
    /// the statistics.) Where it stands beside others, no [permits](crate::RateLimitLayerBuilder::allow_leases)
    /// are taken: each request is decided.
    pub fn shadow(mut self) -> Self {
        self.is_shadow = true;
        self
    }

    fn source(mut self, source: QuotaSource) -> Self {
        if !matches!(self.source, QuotaSource::Fixed) {
            self.contradiction = Some(TWO_SOURCES);
        }
        self.source = source;
        self
    }

    pub(crate) fn is_adjustable(&self) -> bool {
        matches!(self.source, QuotaSource::Stored)
    }

    /// The arithmetic of its quota, if all of it makes sense.
    pub(crate) fn check(&self) -> Result<Rule, ConfigError> {
        self.checked().map_err(|error| self.blame(&error))
    }

    /// A fault, and whose it is.
    pub(crate) fn blame(&self, fault: &ConfigError) -> ConfigError {
        ConfigError::new(format!("policy {:?}: {fault}", self.name))
    }

    fn checked(&self) -> Result<Rule, ConfigError> {
        check_name(&self.name)?;
        self.key.check()?;
        if let Some(contradiction) = self.contradiction {
            return Err(ConfigError::new(contradiction));
        }
        let rule = self.quota.rule()?;
        if !self.leaves_something(&rule) {
            return Err(ConfigError::new(
                "reserve: as many units as the quota ever has at once leave nothing for other requests",
            ));
        }
        if self.quota.is_concurrent() && (self.ban.is_some() || self.outcome.is_some()) {
            return Err(ConfigError::new(
                "bans and outcome costs are not for concurrent quotas, whose slots come back by themselves",
            ));
        }
        if let Some(ban) = self.ban {
            if self.is_shadow {
                return Err(ConfigError::new(
                    "ban_after: a shadow refuses nobody, so nobody is banned",
                ));
            }
            check_ban(ban)?;
        }
        Ok(rule)
    }

    /// Whether a quota has more units at once than are reserved.
    pub(crate) fn leaves_something(&self, rule: &Rule) -> bool {
        let reserved = self.reserve.as_ref().map_or(0, |reserve| reserve.units);
        u64::from(reserved) < rule.most_at_once()
    }
}

fn check_ban(ban: BanRule) -> Result<(), ConfigError> {
    if ban.denials == 0 {
        return Err(ConfigError::new(
            "ban_after: 0 refusals would ban everybody",
        ));
    }
    if ban.length < Duration::from_millis(1) || ban.longest < ban.length {
        return Err(ConfigError::new(
            "ban_after: a ban lasts at least a millisecond, and the longest no less than the first",
        ));
    }
    if ban.longest > LONGEST_BAN {
        return Err(ConfigError::new("ban_after: a ban lasts at most 366 days"));
    }
    Ok(())
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.name)
            .field("quota", &self.quota)
            .field("key", &self.key)
            .field("missing", &self.missing)
            .field("ban", &self.ban)
            .field("is_shadow", &self.is_shadow)
            .finish_non_exhaustive()
    }
}

const TWO_OUTCOMES: &str = "outcome_cost, count_if: a response costs what one of them says, once";

const TWO_SOURCES: &str =
    "quota_by, quota_by_async, adjustable: a quota comes from one of them, once";

pub(crate) const LONGEST_BAN: Duration = Duration::from_secs(366 * 24 * 3600);
