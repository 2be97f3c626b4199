//! What one request takes from one policy's bucket.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use smallvec::SmallVec;
use tower_keep_store::Key;

use crate::{
    bound::Bound,
    rule::{Record, Rule},
};

/// What a request takes from one bucket: so many units, of what it is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) bucket: Key,
    pub(crate) bound: Arc<Bound>,
    pub(crate) cost: u32,
    /// Units that are to be left for others.
    pub(crate) keep: u32,
}

/// All that a request takes, decided at once.
pub(crate) type Charges = SmallVec<[Charge; 2]>;

/// What is known of the buckets of some charges, in their order.
pub(crate) type Records = SmallVec<[Record; 2]>;

impl Charge {
    pub(crate) fn rule(&self) -> &Rule {
        &self.bound.rule
    }

    pub(crate) fn is_for_slots(&self) -> bool {
        matches!(self.bound.rule, Rule::Slots(_))
    }

    /// Whether it asks for more than is ever there at once.
    pub(crate) fn can_never_pass(&self) -> bool {
        !self.bound.is_shadow && self.needed() > self.rule().most_at_once()
    }

    /// Units that must be there so that it passes.
    pub(crate) fn needed(&self) -> u64 {
        if self.cost == 0 {
            0
        } else {
            u64::from(self.cost) + u64::from(self.keep)
        }
    }

    /// Microseconds until it would pass, `factor` times as dear.
    pub(crate) fn wait(&self, record: &Record, now: u64) -> u64 {
        let banned = record.banned(now);
        banned.max(self.rule().wait(&record.state, now, self.needed()))
    }

    /// Whether it does not pass now, and nothing but time (or an order from outside) changes that.
    pub(crate) fn is_refused_until_then(&self, record: &Record, now: u64) -> bool {
        if self.bound.is_shadow || self.cost == 0 {
            return false;
        }
        record.banned(now) > 0 || self.bound.only_time_gives_back() && self.wait(record, now) > 0
    }

    /// How often it passes now, if a unit counts as `factor`.
    pub(crate) fn times(&self, record: &Record, now: u64, factor: u64) -> u64 {
        if self.cost == 0 {
            return u64::MAX;
        }
        if record.banned(now) > 0 {
            return 0;
        }
        let available = self.rule().available(&record.state, now) / factor;
        available.saturating_sub(u64::from(self.keep)) / u64::from(self.cost)
    }
}

/// By what differs most: the bucket and the cost.
impl Hash for Charge {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bucket.hash(state);
        self.cost.hash(state);
    }
}

/// How many of `want` equal requests pass at once: as many as the scarcest bucket has room for.
pub(crate) fn grantable<'a>(
    charges: &[Charge],
    records: impl Iterator<Item = &'a Record>,
    now: u64,
    factor: u64,
    want: u64,
) -> u64 {
    charges
        .iter()
        .zip(records)
        .filter(|(charge, _)| !charge.bound.is_shadow)
        .map(|(charge, record)| charge.times(record, now, factor))
        .fold(want, u64::min)
}
