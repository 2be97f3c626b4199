//! From a request to its charges: at once, or after a key or a quota that comes from elsewhere.

use std::{future::Future, pin::Pin, sync::Arc};

use http::request::Parts;
use tower_keep_store::Key;

use crate::{
    bound::Bound,
    charge::{Charge, Charges},
    key::Later,
    limits::{Draft, Limit, Limits, NoBucket, Plan},
    policy::QuotaFuture,
    quota::Quota,
    quotas,
};

/// A plan in the making.
pub(crate) type PlanFuture = Pin<Box<dyn Future<Output = Plan> + Send>>;

/// What a request takes of one policy, as far as it is known.
pub(crate) struct Waiting {
    pub(crate) index: usize,
    pub(crate) cost: u32,
    pub(crate) keep: u32,
    pub(crate) bucket: WaitingBucket,
    pub(crate) quota: WaitingQuota,
}

pub(crate) enum WaitingBucket {
    Known(Key),
    Later(Pin<Box<dyn Future<Output = Later> + Send>>),
}

pub(crate) enum WaitingQuota {
    Known(Arc<Bound>),
    Later(QuotaFuture),
    Stored,
}

/// What all policies make of a request; a future, where something has to be waited for.
pub(crate) fn plan(limits: &Arc<Limits>, head: &Parts) -> Result<Plan, PlanFuture> {
    let mut charges = Charges::new();
    for (index, limit) in limits.policies.iter().enumerate() {
        match limits.draft(index, head) {
            Ok(Draft::Charge(charge)) => charges.push(charge),
            Ok(Draft::Waiting(first)) => return Err(go_on(limits, charges, first, head)),
            Err(NoBucket::Pass) => {}
            Err(NoBucket::Unidentified) => return Ok(Plan::Refused(limits.unidentified(limit))),
        }
    }
    Ok(limits.checked(charges))
}

/// Asks the rest of what has to be asked of the request, and waits for the answers without it.
fn go_on(limits: &Arc<Limits>, charges: Charges, first: Waiting, head: &Parts) -> PlanFuture {
    let rest = first.index + 1..limits.policies.len();
    let first = (first.index, Ok(Draft::Waiting(first)));
    let rest = rest.map(|index| (index, limits.draft(index, head)));
    let drafts: Vec<_> = std::iter::once(first).chain(rest).collect();
    let limits = limits.clone();
    Box::pin(async move {
        let mut charges = charges;
        for (index, draft) in drafts {
            let limit = &limits.policies[index];
            let charge = match draft {
                Ok(Draft::Charge(charge)) => Ok(charge),
                Ok(Draft::Waiting(waiting)) => finish(&limits, limit, waiting).await,
                Err(why) => Err(why),
            };
            match charge {
                Ok(charge) => charges.push(charge),
                Err(NoBucket::Pass) => {}
                Err(NoBucket::Unidentified) => return Plan::Refused(limits.unidentified(limit)),
            }
        }
        limits.checked(charges)
    })
}

async fn finish(limits: &Limits, limit: &Limit, waiting: Waiting) -> Result<Charge, NoBucket> {
    let bucket = match waiting.bucket {
        WaitingBucket::Known(bucket) => bucket,
        WaitingBucket::Later(key) => match key.await {
            Later::Present(subject) => limits.bucket_of(limit, &subject),
            Later::Missing => limits.missing(limit)?,
            Later::Exempt => return Err(NoBucket::Pass),
        },
    };
    let bound = match waiting.quota {
        WaitingQuota::Known(bound) => bound,
        WaitingQuota::Later(quota) => limit.bound(heard(limits, bucket, quota).await),
        WaitingQuota::Stored => limit.bound(stored(limits, bucket).await),
    };
    Ok(Charge {
        bucket,
        bound,
        cost: waiting.cost,
        keep: waiting.keep,
    })
}

/// The quota that was stored for a bucket.
pub(crate) async fn stored(limits: &Limits, bucket: Key) -> Option<Quota> {
    let key = limits.quota_key(&bucket);
    heard(limits, bucket, quotas::stored(&limits.store, &key)).await
}

/// The quota of a bucket, asked for unless it was a moment ago.
async fn heard(
    limits: &Limits,
    bucket: Key,
    quota: impl Future<Output = Option<Quota>>,
) -> Option<Quota> {
    if let Some(known) = limits.quotas.get(&bucket) {
        return known;
    }
    let quota = quota.await;
    limits.quotas.put(bucket, quota);
    quota
}
