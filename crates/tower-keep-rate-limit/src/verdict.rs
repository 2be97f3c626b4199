//! From what was decided to what is said about it.

use std::{sync::Arc, time::Duration};

use smallvec::SmallVec;

use crate::{
    charge::{Charge, Charges},
    limits::Limits,
    place::{Decision, Source},
    rule::Record,
    slots::Held,
    status::{PolicyStatus, RateLimitStatus, Refusal},
};

/// What is known of a request when it is sent on or refused.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) status: RateLimitStatus,
    /// Slots that last as long as the response.
    pub(crate) held: Option<Held>,
    /// Charges that its response will put right.
    pub(crate) unsettled: SmallVec<[Unsettled; 1]>,
}

/// A charge whose response decides what it costs after all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsettled {
    pub(crate) charge: Charge,
    /// When it will have come back by itself.
    pub(crate) back: u64,
}

impl Verdict {
    pub(crate) fn refused(status: RateLimitStatus) -> Self {
        Self {
            status,
            held: None,
            unsettled: SmallVec::new(),
        }
    }

    /// It passes, and nothing is known of its limits.
    pub(crate) fn allowed_unknown() -> Self {
        Self::refused(RateLimitStatus {
            refusal: None,
            policies: SmallVec::new(),
        })
    }
}

/// The verdict about one request.
pub(crate) fn of(limits: &Limits, charges: &Charges, decision: Decision) -> Verdict {
    let is_granted = decision.granted > 0;
    let mut shadows = decision.shadows.iter();
    let mut refusal = (!is_granted).then_some(Refusal::Exceeded);
    let mut policies = SmallVec::with_capacity(charges.len());
    let mut unsettled = SmallVec::new();
    for (charge, record) in charges.iter().zip(&decision.records) {
        let is_refused = if charge.is_shadow {
            shadows.next().copied().unwrap_or(false)
        } else {
            !is_granted
        };
        let known = Known {
            record,
            now: decision.now,
            factor: decision.factor,
        };
        let status = known.status(limits, charge, is_refused);
        if status.retry_after.is_some() && !charge.is_shadow && record.banned(decision.now) > 0 {
            refusal = Some(Refusal::Banned);
        }
        policies.push(status);
        // Of a share nobody could be told; and a shadow was not charged for what it would have refused.
        if charge.is_returnable && is_granted && !is_refused && decision.source != Source::Share {
            unsettled.push(Unsettled {
                charge: *charge,
                back: charge.rule.back(&record.state),
            });
        }
    }
    let mut status = RateLimitStatus { refusal, policies };
    if !is_granted && status.violated().next().is_none() {
        // By what is stored, all of it would pass: whatever stood there was not to be read, or has changed
        // meanwhile. To come again at once is true then.
        for policy in &mut status.policies {
            policy.retry_after = Some(Duration::ZERO);
        }
    }
    Verdict {
        status,
        held: decision.held,
        unsettled,
    }
}

/// A request that costs more than is ever there.
pub(crate) fn too_costly(limits: &Limits, charges: &Charges) -> RateLimitStatus {
    limits.counters.refused.add();
    let policies = charges.iter().filter(|charge| charge.can_never_pass());
    let status = |charge: &Charge| PolicyStatus {
        name: name(limits, charge),
        quota: charge.quota,
        remaining: 0,
        reset: Duration::ZERO,
        retry_after: Some(Duration::MAX),
        is_shadow: false,
    };
    RateLimitStatus {
        refusal: Some(Refusal::TooCostly),
        policies: policies.map(status).collect(),
    }
}

/// Nothing is known, and that is not to be a reason to pass.
pub(crate) fn unavailable() -> RateLimitStatus {
    RateLimitStatus {
        refusal: Some(Refusal::Unavailable),
        policies: SmallVec::new(),
    }
}

/// What is known of a bucket at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) record: &'a Record,
    pub(crate) now: u64,
    pub(crate) factor: u64,
}

impl Known<'_> {
    pub(crate) fn status(
        &self,
        limits: &Limits,
        charge: &Charge,
        is_refused: bool,
    ) -> PolicyStatus {
        let state = &self.record.state;
        let banned = self.record.banned(self.now);
        let available = match banned {
            0 => charge.rule.available(state, self.now) / self.factor,
            _ => 0,
        };
        let most = charge.rule.most_at_once();
        let needed = charge.needed() * self.factor;
        let wait = banned.max(charge.rule.wait(state, self.now, needed));
        let is_reason = is_refused && (wait > 0 || charge.is_shadow);
        PolicyStatus {
            name: name(limits, charge),
            quota: charge.quota,
            remaining: u32::try_from(available.saturating_sub(u64::from(charge.keep)))
                .unwrap_or(u32::MAX),
            reset: Duration::from_micros(banned.max(charge.rule.wait(state, self.now, most))),
            retry_after: is_reason.then(|| Duration::from_micros(wait)),
            is_shadow: charge.is_shadow,
        }
    }
}

fn name(limits: &Limits, charge: &Charge) -> Arc<str> {
    limits.policies[charge.policy].policy.name.clone()
}
