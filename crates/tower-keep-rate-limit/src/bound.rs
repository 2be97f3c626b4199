//! What requests are held to: a quota of a policy, worked out.

use std::sync::Arc;

use crate::{answer::Told, policy::Policy, quota::Quota, rule::Rule};

/// A quota of a policy, with all that does not depend on a request. Made once, and shared.
#[derive(Debug)]
pub(crate) struct Bound {
    /// The policy's place in its layer.
    pub(crate) policy: usize,
    pub(crate) name: Arc<str>,
    pub(crate) quota: Quota,
    pub(crate) rule: Rule,
    /// Counts, and refuses nothing.
    pub(crate) is_shadow: bool,
    /// Whether units may be given back by something else than time, so that what was seen to be refused may
    /// be allowed the next moment.
    pub(crate) is_returnable: bool,
    /// What is always told of it.
    pub(crate) told: Told,
}

impl Bound {
    pub(crate) fn new(index: usize, policy: &Policy, quota: Quota, rule: Rule) -> Self {
        Self {
            policy: index,
            name: policy.name.clone(),
            quota,
            rule,
            is_shadow: policy.is_shadow,
            is_returnable: policy.outcome.is_some(),
            told: Told::of(&policy.name, quota),
        }
    }

    /// Whether what was seen to be refused stays so until its time.
    pub(crate) fn only_time_gives_back(&self) -> bool {
        !self.is_returnable && self.rule.only_time_gives_back()
    }

    /// Whether permits for it can be had in advance. Only where units come back evenly: elsewhere permits of many
    /// callers, each with a few, could all be used beside a whole new window. Not for a shadow, whose very refusals
    /// are to be counted: what a permit lets through nobody decides.
    pub(crate) fn is_leasable(&self) -> bool {
        !self.is_shadow && !self.is_returnable && matches!(self.rule, Rule::Gcra(_))
    }
}

/// Whether requests are held to the same by both: to be charged together, whichever layers they are of.
impl PartialEq for Bound {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || (self.quota, self.rule, self.is_shadow, self.is_returnable)
                == (
                    other.quota,
                    other.rule,
                    other.is_shadow,
                    other.is_returnable,
                )
    }
}

impl Eq for Bound {}
