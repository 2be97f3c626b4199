//! All that the services of one layer share: the policies, and how they are met.

use std::{fmt, time::Duration};

use http::request::Parts;
use smallvec::SmallVec;
use tower_keep_store::{Key as StoreKey, PersonalKey, Store};

use crate::{
    answer::Answers,
    charge::{Charge, Charges},
    key::{Found, Key, Subject},
    place::{Answer, BanTerms, Decision, Manner, Place},
    policy::{MissingKey, Policy, QuotaSource},
    quota::Quota,
    quotas::Quotas,
    rule::Rule,
    stats::Counters,
    status::{PolicyStatus, RateLimitStatus, Refusal},
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
    pub(crate) rule: Rule,
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

/// What one policy makes of a request.
#[derive(Debug)]
pub(crate) enum Step {
    Charge(Charge),
    /// The policy does not concern it.
    Pass,
    Unidentified,
    /// Something has to be waited for first.
    Wait,
}

/// Why a request without a key has no bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoBucket {
    Pass,
    Unidentified,
}

impl From<NoBucket> for Step {
    fn from(why: NoBucket) -> Self {
        match why {
            NoBucket::Pass => Self::Pass,
            NoBucket::Unidentified => Self::Unidentified,
        }
    }
}

/// What all policies make of a request.
#[derive(Debug)]
pub(crate) enum Plan {
    Charges(Charges),
    Refused(RateLimitStatus),
    /// Something has to be waited for first.
    Wait,
}

impl Limits {
    /// What a request takes, as far as it can be said at once.
    pub(crate) fn plan(&self, head: &Parts) -> Plan {
        let mut charges = Charges::new();
        for (index, limit) in self.policies.iter().enumerate() {
            match self.step(index, limit, head) {
                Step::Charge(charge) => charges.push(charge),
                Step::Pass => {}
                Step::Unidentified => return Plan::Refused(self.unidentified(limit)),
                Step::Wait => return Plan::Wait,
            }
        }
        self.checked(charges)
    }

    /// Refuses what can never pass, before anybody is asked.
    pub(crate) fn checked(&self, charges: Charges) -> Plan {
        if charges.iter().any(Charge::can_never_pass) {
            return Plan::Refused(verdict::too_costly(self, &charges));
        }
        Plan::Charges(charges)
    }

    pub(crate) fn decide(&self, charges: &Charges, want: u64) -> Answer {
        self.place.decide(charges, self.manner(want))
    }

    /// What is said while the store fails.
    pub(crate) fn fail(&self, charges: &Charges) -> Verdict {
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
        let verdict = verdict::of(self, charges, decision);
        if verdict.status.refusal == Some(Refusal::Exceeded) {
            self.consider_bans(charges, &verdict.status);
        }
        verdict
    }

    /// The charge of a policy for somebody named from outside.
    pub(crate) fn charge_for(&self, index: usize, subject: &Subject) -> Charge {
        let limit = &self.policies[index];
        let mut key = self.personal_key();
        limit
            .policy
            .key
            .normalise(subject.clone())
            .push_to(&mut key);
        let bucket = key.finish().part(limit.part);
        self.charge(index, bucket, limit.policy.quota, limit.rule, 1, 0)
    }

    pub(crate) fn manner(&self, want: u64) -> Manner {
        Manner {
            deadline: self.store.step_deadline(),
            epsilon: self.epsilon,
            want,
        }
    }

    fn step(&self, index: usize, limit: &Limit, head: &Parts) -> Step {
        let policy = &limit.policy;
        if policy
            .allow_when
            .as_ref()
            .is_some_and(|allows| allows(head))
        {
            return Step::Pass;
        }
        if limit.is_key_async {
            return Step::Wait;
        }
        let mut key = self.personal_key();
        let bucket = match policy.key.find(head, &mut key) {
            Found::Present => key.finish().part(limit.part),
            Found::Exempt => return Step::Pass,
            Found::Missing => match self.missing(limit) {
                Ok(bucket) => bucket,
                Err(why) => return why.into(),
            },
        };
        let known = match &policy.source {
            QuotaSource::Fixed => Some((policy.quota, limit.rule)),
            QuotaSource::Now(quota) => Some(limit.or_own(quota(head))),
            QuotaSource::Later(_) | QuotaSource::Stored => {
                let known = self.quotas.get(&bucket);
                known.map(|quota| limit.or_own(quota))
            }
        };
        let Some((quota, rule)) = known else {
            return Step::Wait;
        };
        let (cost, keep) = limit.costs(head);
        Step::Charge(self.charge(index, bucket, quota, rule, cost, keep))
    }

    /// The bucket of those who do not say who they are, or what else happens to them.
    pub(crate) fn missing(&self, limit: &Limit) -> Result<StoreKey, NoBucket> {
        match limit.policy.missing {
            MissingKey::Shared => {
                let mut key = self.personal_key();
                Subject::anonymous().push_to(&mut key);
                Ok(key.finish().part(limit.part))
            }
            MissingKey::Refused => Err(NoBucket::Unidentified),
            MissingKey::Allowed => Err(NoBucket::Pass),
        }
    }

    pub(crate) fn charge(
        &self,
        policy: usize,
        bucket: StoreKey,
        quota: Quota,
        rule: Rule,
        cost: u32,
        keep: u32,
    ) -> Charge {
        let of = &self.policies[policy].policy;
        Charge {
            policy,
            bucket,
            quota,
            rule,
            cost,
            keep,
            is_shadow: of.is_shadow,
            is_returnable: of.outcome.is_some(),
        }
    }

    pub(crate) fn personal_key(&self) -> PersonalKey {
        self.store.personal_key(BUCKET)
    }

    pub(crate) fn unidentified(&self, limit: &Limit) -> RateLimitStatus {
        self.counters.refused.add();
        RateLimitStatus {
            refusal: Some(Refusal::Unidentified),
            policies: SmallVec::from_iter([PolicyStatus {
                name: limit.policy.name.clone(),
                quota: limit.policy.quota,
                remaining: 0,
                reset: Duration::ZERO,
                retry_after: None,
                is_shadow: limit.policy.is_shadow,
            }]),
        }
    }

    /// Counts the refusals of policies that ban, and bans in the background.
    fn consider_bans(&self, charges: &Charges, status: &RateLimitStatus) {
        for (charge, status) in charges.iter().zip(&status.policies) {
            let Some(ban) = self.policies[charge.policy].policy.ban else {
                continue;
            };
            let now = self.store.clock().now().as_micros();
            let is_violated = status.retry_after.is_some() && !status.is_shadow;
            if is_violated && self.place.denied(charge, ban.denials, now) {
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
    /// The quota, if there is one that makes sense; the policy's own otherwise.
    pub(crate) fn or_own(&self, quota: Option<Quota>) -> (Quota, Rule) {
        let own = (self.policy.quota, self.rule);
        let Some(quota) = quota else {
            return own;
        };
        if quota.is_concurrent() != self.policy.quota.is_concurrent() {
            return own;
        }
        match quota.rule() {
            Ok(rule) => (quota, rule),
            Err(error) => {
                tracing::warn!(policy = &*self.policy.name, %error, "a quota makes no sense");
                own
            }
        }
    }

    /// Whether a quota can take the place of the policy's own.
    pub(crate) fn accepts(&self, quota: &Quota) -> bool {
        quota.is_concurrent() == self.policy.quota.is_concurrent() && quota.rule().is_ok()
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

    pub(crate) fn key(&self) -> &Key {
        &self.policy.key
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

/// The kind of the records.
pub(crate) const BUCKET: &str = "r";
