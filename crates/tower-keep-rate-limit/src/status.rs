//! What was decided about a request, for those who answer it.

use std::{sync::Arc, time::Duration};

use smallvec::SmallVec;

use crate::{bound::Bound, quota::Quota};

/// What the layer decided, and how each policy that concerns the request stands.
///
/// The inner service finds it in the request's extensions; whoever writes a refusal of his own is given it.
/// Where layers lie within each other, the request carries the status of the innermost, which names the
/// policies of the outer ones too.
#[derive(Clone, Debug)]
pub struct RateLimitStatus {
    pub(crate) refusal: Option<Refusal>,
    pub(crate) policies: SmallVec<[PolicyStatus; 2]>,
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// A quota is used up. Answered with 429.
    Exceeded,
    /// The request costs more than a policy allows at once: it can never pass. Answered with 429, without
    /// a time to wait.
    TooCostly,
    /// Whoever sent it is banned. Answered with 429.
    Banned,
    /// It does not say whose it is, and a policy demands that. Answered with 400.
    Unidentified,
    /// Whether it may pass is not known: the store does not answer, and the layer is to fail closed.
    /// Answered with 503.
    Unavailable,
}

/// How one policy stands after a request.
#[derive(Clone, Debug)]
pub struct PolicyStatus {
    pub(crate) bound: Arc<Bound>,
    pub(crate) remaining: u32,
    pub(crate) reset: Duration,
    pub(crate) retry_after: Option<Duration>,
}

impl RateLimitStatus {
    /// Why it was refused; nothing if it was not.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// The policies that concern it, in their order in the layer.
    #[must_use]
    pub fn policies(&self) -> &[PolicyStatus] {
        &self.policies
    }

    /// The policies that refused it.
    pub fn violated(&self) -> impl Iterator<Item = &PolicyStatus> {
        self.policies
            .iter()
            .filter(|policy| policy.retry_after.is_some() && !policy.is_shadow())
    }

    /// How long to wait until the same request would pass, if nothing else is used meanwhile. Nothing if it
    /// passed, or never can.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.refusal? {
            Refusal::TooCostly | Refusal::Unidentified => None,
            _ => self
                .violated()
                .filter_map(|policy| policy.retry_after)
                .max(),
        }
    }
}

impl PolicyStatus {
    /// The policy's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.bound.name
    }

    /// What it allows.
    pub fn quota(&self) -> Quota {
        self.bound.quota
    }

    /// Units that are left. Where leases are on, as this process last heard.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.remaining
    }

    /// How long until the whole quota is there again, if nothing is used meanwhile.
    #[must_use]
    pub fn reset(&self) -> Duration {
        self.reset
    }

    /// If this policy refused the request (or would have, were it not a shadow): how long until it would
    /// not.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether it only counts, and refuses nothing.
    #[must_use]
    pub fn is_shadow(&self) -> bool {
        self.bound.is_shadow
    }
}
