//! From what was decided to what is said about it.

use std::time::Duration;

use smallvec::SmallVec;

use crate::{
    charge::{Charge, Charges},
    limits::Limits,
    place::{Decision, Source},
    rule::Record,
    slots::Held,
    status::{PolicyStatus, RateLimitStatus, Refusal, Standing},
};

/// What is known of a request when it is sent on or refused.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) status: RateLimitStatus,
    /// Slots that last as long as the response.
    pub(crate) held: Option<Box<Held>>,
    /// Charges that its response will put right.
    pub(crate) unsettled: Vec<Unsettled>,
}

/// A charge whose response decides what it costs after all.
#[derive(Clone, Debug)]
pub(crate) struct Unsettled {
    pub(crate) charge: Charge,
    /// When it will have come back by itself.
    pub(crate) back: u64,
    /// By how much dearer a unit was, if it was taken from this process's share.
    pub(crate) share: Option<u64>,
}

impl Verdict {
    pub(crate) fn refused(status: RateLimitStatus) -> Self {
        Self {
            status,
            held: None,
            unsettled: Vec::new(),
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
pub(crate) fn of(charges: &Charges, decision: Decision) -> Verdict {
    let is_granted = decision.granted > 0;
    let mut shadows = decision.shadows.iter();
    let mut refusal = (!is_granted).then_some(Refusal::Exceeded);
    let mut policies = SmallVec::with_capacity(charges.len());
    let mut unsettled = Vec::new();
    for (charge, record) in charges.iter().zip(&decision.records) {
        let is_refused = if charge.bound.is_shadow {
            shadows.next().copied().unwrap_or(false)
        } else {
            !is_granted
        };
        let known = Known {
            record,
            now: decision.now,
            factor: decision.factor,
        };
        let status = known.status(charge, is_refused);
        if status.is_violated() && record.banned(decision.now) > 0 {
            refusal = Some(Refusal::Banned);
        }
        policies.push(status);
        // A shadow was not charged for what it would have refused.
        if charge.bound.is_returnable && is_granted && !is_refused {
            unsettled.push(Unsettled {
                charge: charge.clone(),
                back: charge.rule().back(&record.state),
                share: (decision.source == Source::Share).then_some(decision.factor),
            });
        }
    }
    let mut status = RateLimitStatus { refusal, policies };
    if !is_granted && status.violated().next().is_none() {
        // By what is stored, all of it would pass: whatever stood there was not to be read, or has changed
        // meanwhile. To come again at once is true then.
        let policies = status.policies.iter_mut();
        for policy in policies.filter(|policy| !policy.is_shadow()) {
            policy.standing = Standing::Refused;
            policy.wait = Duration::ZERO;
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
        bound: charge.bound.clone(),
        remaining: 0,
        standing: Standing::Never,
        reset: Duration::ZERO,
        wait: Duration::ZERO,
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
    pub(crate) fn status(&self, charge: &Charge, is_refused: bool) -> PolicyStatus {
        let state = &self.record.state;
        let banned = self.record.banned(self.now);
        let available = match banned {
            0 => charge.rule().available(state, self.now) / self.factor,
            _ => 0,
        };
        let left = available.saturating_sub(u64::from(charge.keep));
        let until = |units| banned.max(charge.rule().wait(state, self.now, units));
        let refused_for = is_refused.then(|| until(charge.needed() * self.factor));
        let (standing, wait) = match refused_for {
            Some(wait) if wait > 0 || charge.bound.is_shadow => (Standing::Refused, wait),
            _ if left == 0 => (
                Standing::Passed,
                until((u64::from(charge.keep) + 1) * self.factor),
            ),
            _ => (Standing::Passed, 0),
        };
        PolicyStatus {
            bound: charge.bound.clone(),
            remaining: u32::try_from(left).unwrap_or(u32::MAX),
            standing,
            reset: Duration::from_micros(until(charge.rule().most_at_once())),
            wait: Duration::from_micros(wait),
        }
    }
}
