//! All that the services of one layer share: the policies, and how they are met.

use std::{fmt, sync::Arc, time::Duration};

use http::request::Parts;
use quick_cache::sync::Cache;
use smallvec::SmallVec;
use tower_keep_store::{ConfigError, Key as StoreKey, PersonalKey, Store};

use crate::{
    answer::Answers,
    bound::Bound,
    charge::{Charge, Charges},
    key::{Found, Subject},
    place::{Answer, BanTerms, Decision, Manner, Place},
    plan::{Waiting, WaitingBucket, WaitingQuota},
    policy::{MissingKey, Policy, QuotaSource},
    quota::Quota,
    quotas::Quotas,
    stats::Counters,
    status::{PolicyStatus, RateLimitStatus, Refusal, Standing},
    verdict::{self, Verdict},
};

/// A layer's policies, with what they need to be decided.
pub(crate) struct Limits {
    pub(crate) store: Store,
    pub(crate) place: Place,
    pub(crate) policies: Box<[Limit]>,
    pub(crate) answers: Answers,
    pub(crate) on_failure: OnFailure,
    pub(crate) epsilon: Option<f64>,
    pub(crate) quotas: Quotas,
    pub(crate) counters: Counters,
}

/// A policy, and what was made of it.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) policy: Policy,
    /// By the policy's own quota.
    pub(crate) bound: Arc<Bound>,
    /// By other quotas that some keys have.
    others: Cache<Quota, Option<Arc<Bound>>>,
    /// Tells its buckets from those of other policies.
    pub(crate) part: u32,
    /// Whether its key has to be waited for.
    pub(crate) is_key_async: bool,
}

/// What a layer does while its store fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    Share,
    Closed,
    Open,
}

impl OnFailure {
    fn warn(self) {
        let meanwhile = match self {
            Self::Share => "this process goes on with its share of each limit",
            Self::Closed => "all requests are refused",
            Self::Open => "nothing is limited",
        };
        tracing::warn!(meanwhile, "the store does not decide the rate limits");
    }
}

/// What one policy makes of a request that it concerns.
#[allow(
    clippy::large_enum_variant,
    reason = "a box would cost every request an allocation"
)]
pub(crate) enum Draft {
    Charge(Charge),
    /// Something has to be waited for first.
    Waiting(Waiting),
}

/// Why a request has no bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoBucket {
    /// The policy does not concern it.
    Pass,
    Unidentified,
}

impl Limits {
    /// What a request takes of one policy, as far as it can be said at once. Everything that has to be asked of
    /// the request is.
    pub(crate) fn draft(&self, index: usize, head: &Parts) -> Result<Draft, NoBucket> {
        let limit = &self.policies[index];
        let policy = &limit.policy;
        if policy
            .allow_when
            .as_ref()
            .is_some_and(|allows| allows(head))
        {
            return Err(NoBucket::Pass);
        }
        let bucket = if limit.is_key_async {
            WaitingBucket::Later(policy.key.find_later(head))
        } else {
            WaitingBucket::Known(self.bucket(limit, head)?)
        };
        let known = || match &bucket {
            WaitingBucket::Known(bucket) => self.quotas.get(bucket),
            WaitingBucket::Later(_) => None,
        };
        let quota = match &policy.source {
            QuotaSource::Fixed => WaitingQuota::Known(limit.bound.clone()),
            QuotaSource::Now(quota) => WaitingQuota::Known(limit.bound(quota(head))),
            QuotaSource::Later(quota) => match known() {
                Some(quota) => WaitingQuota::Known(limit.bound(quota)),
                None => WaitingQuota::Later(quota(head)),
            },
            QuotaSource::Stored => match known() {
                Some(quota) => WaitingQuota::Known(limit.bound(quota)),
                None => WaitingQuota::Stored,
            },
        };
        let (cost, keep) = limit.costs(head);
        Ok(match (bucket, quota) {
            (WaitingBucket::Known(bucket), WaitingQuota::Known(bound)) => Draft::Charge(Charge {
                bucket,
                bound,
                cost,
                keep,
            }),
            (bucket, quota) => Draft::Waiting(Waiting {
                index,
                cost,
                keep,
                bucket,
                quota,
            }),
        })
    }

    /// Refuses what can never pass, before anybody is asked.
    pub(crate) fn too_costly(&self, charges: &Charges) -> Option<RateLimitStatus> {
        let is_too_costly = charges.iter().any(Charge::can_never_pass);
        is_too_costly.then(|| verdict::too_costly(self, charges))
    }

    pub(crate) fn decide(&self, charges: &Charges) -> Answer {
        self.place.decide(charges, self.manner(1))
    }

    /// What is said while the store fails.
    pub(crate) fn fail(&self, charges: &Charges) -> Verdict {
        if self.place.begins_to_fail() {
            self.on_failure.warn();
        }
        match self.on_failure {
            OnFailure::Share => self.verdict(charges, self.place.share(charges, 1)),
            OnFailure::Closed => {
                self.counters.unavailable.add();
                Verdict::refused(verdict::unavailable())
            }
            OnFailure::Open => {
                self.counters.allowed.add();
                Verdict::allowed_unknown()
            }
        }
    }

    /// Makes a verdict of a decision about one request, and sees to what follows from it.
    pub(crate) fn verdict(&self, charges: &Charges, decision: Decision) -> Verdict {
        self.counters.count(&decision);
        let verdict = verdict::of(charges, decision);
        if verdict.status.refusal == Some(Refusal::Exceeded) {
            self.consider_bans(charges, &verdict.status);
        }
        verdict
    }

    /// The charge of a policy for somebody named from outside.
    pub(crate) fn charge_for(&self, index: usize, subject: &Subject) -> Charge {
        let limit = &self.policies[index];
        let mut key = self.personal_key();
        limit.policy.key.name(subject, &mut key);
        Charge {
            bucket: key.finish().part(limit.part),
            bound: limit.bound.clone(),
            cost: 1,
            keep: 0,
        }
    }

    pub(crate) fn manner(&self, want: u64) -> Manner {
        Manner {
            deadline: self.store.step_deadline(),
            epsilon: self.epsilon,
            want,
        }
    }

    /// The bucket of a request whose key can be said at once.
    fn bucket(&self, limit: &Limit, head: &Parts) -> Result<StoreKey, NoBucket> {
        let mut key = self.personal_key();
        match limit.policy.key.find(head, &mut key) {
            Found::Present => Ok(key.finish().part(limit.part)),
            Found::Exempt => Err(NoBucket::Pass),
            Found::Missing => self.missing(limit),
        }
    }

    /// The bucket of those who do not say who they are, or what else happens to them.
    pub(crate) fn missing(&self, limit: &Limit) -> Result<StoreKey, NoBucket> {
        match limit.policy.missing {
            MissingKey::Shared => {
                limit.policy.key.warn_of_missing_user(&limit.policy.name);
                Ok(self.bucket_of(limit, &Subject::anonymous()))
            }
            MissingKey::Refused if limit.policy.is_shadow => {
                self.counters.shadow_refused.add();
                Err(NoBucket::Pass)
            }
            MissingKey::Refused => Err(NoBucket::Unidentified),
            MissingKey::Allowed => Err(NoBucket::Pass),
        }
    }

    pub(crate) fn bucket_of(&self, limit: &Limit, subject: &Subject) -> StoreKey {
        let mut key = self.personal_key();
        subject.push_to(&mut key);
        key.finish().part(limit.part)
    }

    fn personal_key(&self) -> PersonalKey {
        self.store.personal_key(BUCKET)
    }

    pub(crate) fn unidentified(&self, limit: &Limit) -> RateLimitStatus {
        self.counters.refused.add();
        RateLimitStatus {
            refusal: Some(Refusal::Unidentified),
            policies: SmallVec::from_iter([PolicyStatus {
                bound: limit.bound.clone(),
                remaining: 0,
                standing: Standing::Unidentified,
                reset: Duration::ZERO,
                wait: Duration::ZERO,
            }]),
        }
    }

    /// Counts the refusals of policies that ban, and bans in the background.
    fn consider_bans(&self, charges: &Charges, status: &RateLimitStatus) {
        for (charge, status) in charges.iter().zip(&status.policies) {
            let Some(ban) = self.policies[charge.bound.policy].policy.ban else {
                continue;
            };
            let now = self.store.clock().now().as_micros();
            if status.is_violated() && self.place.denied(charge, ban.denials, now) {
                let terms = BanTerms {
                    length: ban.length,
                    doubling_to: Some(ban.longest),
                };
                self.place
                    .ban_soon(charge, terms, self.store.step_deadline());
                self.counters.bans.add();
            }
        }
    }
}

impl Limit {
    /// The limit of a policy that makes sense.
    ///
    /// # Errors
    ///
    /// It makes none.
    pub(crate) fn new(index: usize, policy: Policy, part: u32) -> Result<Self, ConfigError> {
        let rule = policy.check()?;
        Ok(Self {
            bound: Arc::new(Bound::new(index, &policy, policy.quota, rule)),
            others: Cache::new(MOST_OTHERS),
            part,
            is_key_async: policy.key.is_async(),
            policy,
        })
    }

    /// By this quota, if there is one that makes sense; by the policy's own otherwise.
    pub(crate) fn bound(&self, quota: Option<Quota>) -> Arc<Bound> {
        let other = quota.filter(|quota| *quota != self.policy.quota);
        let other = other.and_then(|quota| match self.others.get(&quota) {
            Some(known) => known,
            None => {
                let bound = self.bound_by(quota);
                self.others.insert(quota, bound.clone());
                bound
            }
        });
        other.unwrap_or_else(|| self.bound.clone())
    }

    fn bound_by(&self, quota: Quota) -> Option<Arc<Bound>> {
        if !self.is_of_a_kind_with(&quota) {
            return None;
        }
        match quota.rule() {
            Ok(rule) => {
                let index = self.bound.policy;
                Some(Arc::new(Bound::new(index, &self.policy, quota, rule)))
            }
            Err(error) => {
                tracing::warn!(policy = &*self.policy.name, %error, "a quota makes no sense");
                None
            }
        }
    }

    /// Whether a quota can take the place of the policy's own.
    pub(crate) fn accepts(&self, quota: &Quota) -> bool {
        let leaves_something = |rule| self.policy.leaves_something(&rule);
        self.is_of_a_kind_with(quota) && quota.rule().is_ok_and(leaves_something)
    }

    fn is_of_a_kind_with(&self, quota: &Quota) -> bool {
        quota.is_concurrent() == self.policy.quota.is_concurrent()
    }

    /// What a request costs, and what it has to leave.
    pub(crate) fn costs(&self, head: &Parts) -> (u32, u32) {
        let cost = self.policy.cost.as_ref().map_or(1, |cost| cost(head));
        let keep = match &self.policy.reserve {
            Some(reserve) if !(reserve.is_for)(head) => reserve.units,
            _ => 0,
        };
        (cost, keep)
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("store", &self.store)
            .field("policies", &self.policies)
            .field("on_failure", &self.on_failure)
            .field("epsilon", &self.epsilon)
            .finish_non_exhaustive()
    }
}

/// Other quotas of a policy that are kept worked out.
const MOST_OTHERS: usize = 256;

/// The kind of the records.
const BUCKET: &str = "r";
