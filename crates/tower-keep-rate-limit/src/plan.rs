//! From a request to its charges: at once, or after a key or a quota that comes from elsewhere.

use std::{future::Future, mem, pin::Pin, sync::Arc};

use futures_util::future::join_all;
use http::request::Parts;
use tower_keep_store::Key;

use crate::{
    bound::Bound,
    charge::{Charge, Charges},
    key::Later,
    limits::{Draft, Limit, Limits, NoBucket},
    policy::QuotaFuture,
    quota::Quota,
    quotas,
    status::RateLimitStatus,
};

/// What all policies make of a request, in the making: what it takes of each, or why it is refused.
pub(crate) type PlanFuture = Pin<Box<dyn Future<Output = Result<Charges, RateLimitStatus>> + Send>>;

/// Why there are no charges at once.
pub(crate) enum Unplanned {
    Refused(RateLimitStatus),
    Waiting(PlanFuture),
}

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

/// Adds to `charges` what a request takes of all policies.
///
/// # Errors
///
/// It is refused, or something has to be waited for.
pub(crate) fn plan(
    limits: &Arc<Limits>,
    head: &Parts,
    charges: &mut Charges,
) -> Result<(), Unplanned> {
    for (index, limit) in limits.policies.iter().enumerate() {
        match limits.draft(index, head) {
            Ok(Draft::Charge(charge)) => charges.push(charge),
            Ok(Draft::Waiting(first)) => {
                let charges = mem::take(charges);
                return Err(Unplanned::Waiting(go_on(limits, charges, first, head)));
            }
            Err(NoBucket::Pass) => {}
            Err(NoBucket::Unidentified) => {
                return Err(Unplanned::Refused(limits.unidentified(limit)));
            }
        }
    }
    match limits.too_costly(charges) {
        Some(status) => Err(Unplanned::Refused(status)),
        None => Ok(()),
    }
}

/// Asks the rest of what has to be asked of the request, and waits for the answers without it, for all at once.
fn go_on(limits: &Arc<Limits>, charges: Charges, first: Waiting, head: &Parts) -> PlanFuture {
    let rest = first.index + 1..limits.policies.len();
    let first = (first.index, Ok(Draft::Waiting(first)));
    let rest = rest.map(|index| (index, limits.draft(index, head)));
    let drafts: Vec<_> = std::iter::once(first).chain(rest).collect();
    let limits = limits.clone();
    Box::pin(async move {
        let mut charges = charges;
        let finished = drafts.into_iter().map(async |(index, draft)| {
            let limit = &limits.policies[index];
            let charge = match draft {
                Ok(Draft::Charge(charge)) => Ok(charge),
                Ok(Draft::Waiting(waiting)) => finish(&limits, limit, waiting).await,
                Err(why) => Err(why),
            };
            (limit, charge)
        });
        for (limit, charge) in join_all(finished).await {
            match charge {
                Ok(charge) => charges.push(charge),
                Err(NoBucket::Pass) => {}
                Err(NoBucket::Unidentified) => return Err(limits.unidentified(limit)),
            }
        }
        match limits.too_costly(&charges) {
            Some(status) => Err(status),
            None => Ok(charges),
        }
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
        WaitingQuota::Later(quota) => {
            let quota = async { Ok(quota.await) };
            limit.bound(limits.quotas.heard(bucket, quota).await)
        }
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
    let ask = quotas::stored(&limits.store, &key);
    limits.quotas.heard(bucket, ask).await
}
