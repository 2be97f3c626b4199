//! Plans for which something has to be waited for: a key or a quota that comes from elsewhere.

use std::{future::Future, pin::Pin, sync::Arc};

use http::request::Parts;

use crate::{
    charge::Charges,
    key::{Found, Later},
    limits::{Limit, Limits, Plan, Step},
    policy::{QuotaFuture, QuotaSource},
    quota::Quota,
    quotas,
    rule::Rule,
};

/// A plan in the making.
pub(crate) type PlanFuture = Pin<Box<dyn Future<Output = Plan> + Send>>;

/// What is known of one policy while the request is still at hand.
struct Draft {
    index: usize,
    cost: u32,
    keep: u32,
    key: DraftKey,
    quota: DraftQuota,
}

enum DraftKey {
    Known(tower_keep_store::Key),
    Missing,
    Later(Pin<Box<dyn Future<Output = Later> + Send>>),
}

enum DraftQuota {
    Known(Quota, Rule),
    Later(QuotaFuture),
    Stored,
}

/// Asks everything of the request that has to be asked, and waits for the answers without it.
pub(crate) fn plan(limits: &Arc<Limits>, head: &Parts) -> PlanFuture {
    let drafts: Vec<_> = limits
        .policies
        .iter()
        .enumerate()
        .filter_map(|(index, limit)| draft(limits, index, limit, head))
        .collect();
    let limits = limits.clone();
    Box::pin(async move {
        let mut charges = Charges::new();
        for draft in drafts {
            let limit = &limits.policies[draft.index];
            match finish(&limits, limit, draft).await {
                Step::Charge(charge) => charges.push(charge),
                Step::Pass | Step::Wait => {}
                Step::Unidentified => return Plan::Refused(limits.unidentified(limit)),
            }
        }
        limits.checked(charges)
    })
}

/// Nothing if the policy does not concern the request.
fn draft(limits: &Limits, index: usize, limit: &Limit, head: &Parts) -> Option<Draft> {
    let policy = &limit.policy;
    if policy
        .allow_when
        .as_ref()
        .is_some_and(|allows| allows(head))
    {
        return None;
    }
    let key = if limit.is_key_async {
        DraftKey::Later(limit.key().find_later(head))
    } else {
        let mut key = limits.personal_key();
        match limit.key().find(head, &mut key) {
            Found::Present => DraftKey::Known(key.finish().part(limit.part)),
            Found::Exempt => return None,
            Found::Missing => DraftKey::Missing,
        }
    };
    let quota = match &policy.source {
        QuotaSource::Fixed => DraftQuota::Known(policy.quota, limit.rule),
        QuotaSource::Now(quota) => {
            let (quota, rule) = limit.or_own(quota(head));
            DraftQuota::Known(quota, rule)
        }
        QuotaSource::Later(quota) => DraftQuota::Later(quota(head)),
        QuotaSource::Stored => DraftQuota::Stored,
    };
    let (cost, keep) = limit.costs(head);
    Some(Draft {
        index,
        cost,
        keep,
        key,
        quota,
    })
}

async fn finish(limits: &Limits, limit: &Limit, draft: Draft) -> Step {
    let found = match draft.key {
        DraftKey::Known(bucket) => Some(bucket),
        DraftKey::Missing => None,
        DraftKey::Later(key) => match key.await {
            Later::Present(subject) => {
                let mut key = limits.personal_key();
                subject.push_to(&mut key);
                Some(key.finish().part(limit.part))
            }
            Later::Missing => None,
            Later::Exempt => return Step::Pass,
        },
    };
    let bucket = match found.map_or_else(|| limits.missing(limit), Ok) {
        Ok(bucket) => bucket,
        Err(why) => return why.into(),
    };
    let (quota, rule) = match draft.quota {
        DraftQuota::Known(quota, rule) => (quota, rule),
        DraftQuota::Later(quota) => limit.or_own(heard(limits, bucket, quota).await),
        DraftQuota::Stored => {
            let key = limits.quota_key(&bucket);
            let quota = quotas::stored(&limits.store, &key);
            limit.or_own(heard(limits, bucket, quota).await)
        }
    };
    let charge = limits.charge(draft.index, bucket, quota, rule, draft.cost, draft.keep);
    Step::Charge(charge)
}

/// The quota of a bucket, asked for unless it was a moment ago.
pub(crate) async fn heard(
    limits: &Limits,
    bucket: tower_keep_store::Key,
    quota: impl Future<Output = Option<Quota>>,
) -> Option<Quota> {
    if let Some(known) = limits.quotas.get(&bucket) {
        return known;
    }
    let quota = quota.await;
    limits.quotas.put(bucket, quota);
    quota
}
