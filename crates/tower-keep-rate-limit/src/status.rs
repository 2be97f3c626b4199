//! What was decided about a request, for those who answer it.

use std::{sync::Arc, time::Duration};

use smallvec::SmallVec;

use crate::{bound::Bound, quota::Quota};

/// What the layer decided, and how each policy that concerns the request stands.
///
/// | who | finds it |
/// |---|---|
/// | the inner service | in the extensions of the request, if it passed |
/// | whoever writes a [refusal of his own](crate::RateLimitLayerBuilder::refuse_with) | as the argument |
/// | layers further out, a log say | in the extensions of the response, if it is a refusal |
///
/// Where layers lie within each other, the request carries the status of the innermost, which names the
/// policies of the outer ones too.
///
/// ```
/// # use tower_keep_rate_limit::RateLimitStatus;
/// /// In a layer further out.
/// fn log<B>(response: &http::Response<B>) {
///     let Some(refused) = response.extensions().get::<RateLimitStatus>() else { return };
///     let policies: Vec<_> = refused.violated().map(|policy| policy.name()).collect();
///     println!("{:?} by {policies:?}", refused.refusal());
/// }
///
/// /// In the handler, of the request's.
/// fn would_be_refused(status: &RateLimitStatus) -> impl Iterator<Item = &str> {
///     let shadows = status.policies().iter().filter(|policy| policy.is_shadow());
///     shadows.filter(|shadow| shadow.retry_after().is_some()).map(|shadow| shadow.name())
/// }
/// ```
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
    pub(crate) standing: Standing,
    pub(crate) reset: Duration,
    /// If it refused the request, until it would not; else, where nothing is left, until something is.
    pub(crate) wait: Duration,
}

/// What a policy makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Passed,
    Refused,
    /// It can never pass, and no store was asked.
    Never,
    /// Its key is missing, and no store was asked.
    Unidentified,
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

    /// The policies whose quota refused it; never a [shadow](PolicyStatus::is_shadow). None where it is
    /// [`Unidentified`](Refusal::Unidentified) or [`Unavailable`](Refusal::Unavailable).
    pub fn violated(&self) -> impl Iterator<Item = &PolicyStatus> {
        self.policies.iter().filter(|policy| policy.is_violated())
    }

    /// How long to wait until the same request would pass, if nothing else is used meanwhile. Nothing if it
    /// passed, or never can. Of slots nobody knows: see [`Quota::concurrent`].
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.refusal?;
        let waits = self.violated().filter_map(PolicyStatus::retry_after);
        waits.max()
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

    /// Units that are left. Where leases are on, as this process last heard. 0 while a ban is on, and for a
    /// refusal of which no store was asked ([`TooCostly`](Refusal::TooCostly),
    /// [`Unidentified`](Refusal::Unidentified)): nobody knows then.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.remaining
    }

    /// How long until the whole quota is there again, if nothing is used meanwhile. Zero where no store was
    /// asked.
    #[must_use]
    pub fn reset(&self) -> Duration {
        self.reset
    }

    /// If this policy refused the request (or would have, were it not a [shadow](Self::is_shadow)): how long
    /// until it would not. Nothing if it never will ([`TooCostly`](Refusal::TooCostly)), or if what is
    /// missing is a key.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        (self.standing == Standing::Refused).then_some(self.wait)
    }

    /// Whether it only counts, and refuses nothing.
    #[must_use]
    pub fn is_shadow(&self) -> bool {
        self.bound.is_shadow
    }

    pub(crate) fn is_violated(&self) -> bool {
        matches!(self.standing, Standing::Refused | Standing::Never) && !self.is_shadow()
    }
}
