//! The way to look in and to interfere from outside.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use tower_keep_store::{Key as StoreKey, StoreError};

use crate::{
    charge::{Charge, Charges},
    key::Subject,
    limits::Limits,
    place::{Answer, BanTerms},
    plan::stored,
    policy::LONGEST_BAN,
    quota::Quota,
    quotas::store_quota,
    stats::RateLimitStats,
    status::PolicyStatus,
    verdict::Known,
};

/// Looks into the buckets of a [`RateLimitLayer`](crate::RateLimitLayer), and changes them: in all processes
/// that share the store, within about a millisecond.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer, Subject};
/// use tower_keep_store::Store;
///
/// let policy = Policy::new("merchant", Quota::per_minute(100)).by(Key::header("x-merchant-id"));
/// let layer = RateLimitLayer::builder(Store::memory()).policy(policy).build()?;
/// let handle = layer.handle();
/// let merchant = Subject::header("m-42");
/// assert_eq!(handle.take("merchant", &merchant, 30).await?, 30);
/// assert_eq!(handle.peek("merchant", &merchant).await?.remaining(), 70);
/// handle.reset("merchant", &merchant).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RateLimitHandle {
    limits: Arc<Limits>,
}

impl RateLimitHandle {
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Self { limits }
    }

    /// How a policy stands for somebody. Where a ban is on, nothing remains, and
    /// [`retry_after`](PolicyStatus::retry_after) says for how long. Where the quota depends on the request
    /// ([`quota_by`](crate::Policy::quota_by)), it is as seen by the policy's own; so is what is
    /// [taken](Self::take).
    ///
    /// # Errors
    ///
    /// There is no such policy, or the store did not answer.
    pub async fn peek(&self, policy: &str, subject: &Subject) -> Result<PolicyStatus, HandleError> {
        let charge = self.charge_now(policy, subject).await?;
        let place = &self.limits.place;
        let (record, now) = place.peek(&charge, self.limits.manner(0)).await?;
        let known = Known {
            record: &record,
            now,
            factor: 1,
        };
        let has_to_wait = charge.wait(&record, now) > 0;
        Ok(known.status(&charge, has_to_wait))
    }

    /// Takes up to `at_most` units, as many as there are: for work that comes in pieces. Says how many.
    ///
    /// # Errors
    ///
    /// There is no such policy, it is for [concurrent](Quota::concurrent) requests, or the store did not
    /// answer; after a [time-out](StoreError::is_timeout) units may have been taken.
    pub async fn take(
        &self,
        policy: &str,
        subject: &Subject,
        at_most: u32,
    ) -> Result<u32, HandleError> {
        let charge = self.charge_now(policy, subject).await?;
        if charge.bound.quota.is_concurrent() {
            return Err(HandleError::Concurrent);
        }
        let charges = Charges::from_iter([charge]);
        let mut manner = self.limits.manner(u64::from(at_most));
        manner.epsilon = None;
        let decision = match self.limits.place.decide(&charges, manner) {
            Answer::Now(decision) => decision,
            Answer::Later(decision) => decision.await.map_err(|_| StoreError::unavailable())?,
            Answer::Failed => return Err(StoreError::unavailable().into()),
        };
        Ok(u32::try_from(decision.granted).unwrap_or(at_most))
    }

    /// Forgets all that somebody used, and the ban.
    ///
    /// # Errors
    ///
    /// There is no such policy, or the store did not answer; it may be done all the same.
    pub async fn reset(&self, policy: &str, subject: &Subject) -> Result<(), HandleError> {
        let charge = self.charge(policy, subject)?;
        let Limits { place, store, .. } = &*self.limits;
        place.reset(&charge.bucket, charge.rule(), store).await?;
        Ok(())
    }

    /// Refuses what somebody sends for this long (at most 366 days): all but requests that cost nothing, and
    /// nothing if the policy is a shadow.
    ///
    /// # Errors
    ///
    /// There is no such policy, it is for [concurrent](Quota::concurrent) requests, or the store did not
    /// answer; it may be done all the same.
    pub async fn ban(
        &self,
        policy: &str,
        subject: &Subject,
        length: Duration,
    ) -> Result<(), HandleError> {
        let length = length.clamp(Duration::from_millis(1), LONGEST_BAN);
        self.set_ban(policy, subject, length).await
    }

    /// Lifts a ban; what was used stays used.
    ///
    /// # Errors
    ///
    /// As for [`ban`](Self::ban).
    pub async fn unban(&self, policy: &str, subject: &Subject) -> Result<(), HandleError> {
        self.set_ban(policy, subject, Duration::ZERO).await
    }

    /// Gives somebody another quota for an [adjustable](crate::Policy::adjustable) policy, for this long; or
    /// the policy's own again. All processes go by it within a second.
    ///
    /// # Errors
    ///
    /// There is no such policy, it is not adjustable, the quota makes no sense or leaves nothing beside the
    /// [reserve](crate::Policy::reserve), or the store did not answer.
    pub async fn adjust(
        &self,
        policy: &str,
        subject: &Subject,
        quota: Option<Quota>,
        lasts: Duration,
    ) -> Result<(), HandleError> {
        let charge = self.charge(policy, subject)?;
        let limit = &self.limits.policies[charge.bound.policy];
        if !limit.policy.is_adjustable() {
            return Err(HandleError::NotAdjustable);
        }
        if quota.is_some_and(|quota| !limit.accepts(&quota)) {
            return Err(HandleError::Senseless);
        }
        let key = self.limits.quota_key(&charge.bucket);
        store_quota(&self.limits.store, &key, quota, lasts).await?;
        self.limits.quotas.forget(&charge.bucket);
        Ok(())
    }

    /// What the layer decided so far, in this process.
    #[must_use]
    pub fn stats(&self) -> RateLimitStats {
        self.limits.counters.stats()
    }

    async fn set_ban(
        &self,
        policy: &str,
        subject: &Subject,
        length: Duration,
    ) -> Result<(), HandleError> {
        let charge = self.charge(policy, subject)?;
        if charge.bound.quota.is_concurrent() {
            return Err(HandleError::Concurrent);
        }
        let terms = BanTerms {
            length,
            doubling_to: None,
        };
        let deadline = self.limits.store.step_deadline();
        let place = &self.limits.place;
        place
            .ban(&charge.bucket, charge.rule(), terms, deadline)
            .await?;
        Ok(())
    }

    /// By the quota that holds now, as far as that does not depend on a request.
    async fn charge_now(&self, policy: &str, subject: &Subject) -> Result<Charge, HandleError> {
        let mut charge = self.charge(policy, subject)?;
        let limits = &*self.limits;
        let limit = &limits.policies[charge.bound.policy];
        if limit.policy.is_adjustable() {
            let quota = stored(limits, charge.bucket).await;
            charge.bound = limit.bound(quota);
        }
        Ok(charge)
    }

    fn charge(&self, policy: &str, subject: &Subject) -> Result<Charge, HandleError> {
        let policies = &self.limits.policies;
        let index = policies
            .iter()
            .position(|limit| &*limit.policy.name == policy)
            .ok_or(HandleError::UnknownPolicy)?;
        Ok(self.limits.charge_for(index, subject))
    }
}

/// What a [`RateLimitHandle`] could not do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HandleError {
    /// The layer has no policy of that name.
    UnknownPolicy,
    /// Slots of a concurrent quota are neither banned nor taken by hand.
    Concurrent,
    /// The policy's quota cannot be changed while the application runs.
    NotAdjustable,
    /// The quota makes no sense, leaves nothing beside the policy's [reserve](crate::Policy::reserve), or is of
    /// another kind than the policy's (concurrent or not).
    Senseless,
    /// The store failed.
    Store(StoreError),
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownPolicy => "the layer has no policy of that name",
            Self::Concurrent => {
                "the slots of a concurrent quota are neither banned nor taken by hand"
            }
            Self::NotAdjustable => "the policy's quota is not adjustable",
            Self::Senseless => "the quota makes no sense for this policy",
            Self::Store(_) => "the store failed",
        })
    }
}

impl Error for HandleError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

impl From<StoreError> for HandleError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Limits {
    /// Where the quota of a bucket is stored.
    pub(crate) fn quota_key(&self, bucket: &StoreKey) -> StoreKey {
        let mut material = Vec::with_capacity(24);
        bucket.push_to(&mut material);
        StoreKey::new("q", &material)
    }
}
