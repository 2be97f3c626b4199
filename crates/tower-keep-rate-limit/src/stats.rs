//! Counting what was decided.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::place::{Decision, Source};

/// What a layer decided since it was made, in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimitStats {
    /// Requests that passed.
    pub allowed: u64,
    /// Requests that were refused, for whatever reason.
    pub refused: u64,
    /// Of those refused, how many without asking the store.
    pub refused_without_call: u64,
    /// Of those that passed, how many on a permit taken in advance.
    pub leased: u64,
    /// Requests decided by this process's share, because the store failed.
    pub by_share: u64,
    /// Requests refused because the store failed and the layer fails closed.
    pub unavailable: u64,
    /// Requests that a shadow policy would have refused: for its quota, or for a key that is missing.
    pub shadow_refused: u64,
    /// Bans for too many refusals.
    pub bans: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) allowed: Counter,
    pub(crate) refused: Counter,
    refused_without_call: Counter,
    leased: Counter,
    by_share: Counter,
    pub(crate) unavailable: Counter,
    pub(crate) shadow_refused: Counter,
    pub(crate) bans: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn count(&self, decision: &Decision) {
        if decision.granted > 0 {
            self.allowed.add();
        } else {
            self.refused.add();
        }
        match decision.source {
            Source::Store => {}
            Source::Known => self.refused_without_call.add(),
            Source::Lease => self.leased.add(),
            Source::Share => self.by_share.add(),
        }
        if decision.shadows.iter().any(|refused| *refused) {
            self.shadow_refused.add();
        }
    }

    pub(crate) fn stats(&self) -> RateLimitStats {
        RateLimitStats {
            allowed: self.allowed.get(),
            refused: self.refused.get() + self.unavailable.get(),
            refused_without_call: self.refused_without_call.get(),
            leased: self.leased.get(),
            by_share: self.by_share.get(),
            unavailable: self.unavailable.get(),
            shadow_refused: self.shadow_refused.get(),
            bans: self.bans.get(),
        }
    }
}
