//! What is known of one key under one policy.

use super::{Charge, Used};

#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) used: Used,
    pub(crate) banned_until: Option<u64>,
}

impl Bucket {
    pub(crate) fn banned(&self, now: u64) -> u64 {
        self.banned_until.unwrap_or(0).saturating_sub(now)
    }

    /// How often a charge passes.
    pub(crate) fn times(&self, charge: &Charge, now: u64) -> u64 {
        if charge.cost == 0 {
            return u64::MAX;
        }
        if self.banned(now) > 0 {
            return 0;
        }
        let available = self.used.available(charge.spec, now);
        available.saturating_sub(u64::from(charge.keep)) / u64::from(charge.cost)
    }
}
