//! Permits taken in advance, so that a busy caller needs no round trip for each request.
//!
//! They are charged when they are taken and lapse soon after, so that in the long run nothing more is used
//! than is allowed. What can be exceeded is the limit in one interval, by the permits that were charged
//! before it began and are used within it. Only limits that forget evenly have permits, which live for `epsilon`
//! of their window: no more than `epsilon · limit` of them can have been charged in that time beyond a full
//! bucket, whoever they are for.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use foldhash::fast::RandomState;
use tokio::time::Instant;

use crate::{
    buckets::Seen,
    charge::{Charge, Charges},
    rule::Rule,
};

/// The permits that this process has in advance.
#[derive(Debug)]
pub(crate) struct Leases {
    shards: Box<[Mutex<HashMap<Charges, Lease, RandomState>>]>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Lease {
    left: u64,
    until: Instant,
    seen: Seen,
    /// How many to ask for next.
    batch: u64,
}

/// How permits in advance may be taken for a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// How long they live.
    pub(crate) life: Duration,
}

impl Terms {
    /// The terms for these charges; none where one of them must be decided each time.
    pub(crate) fn of(charges: &Charges, epsilon: f64) -> Option<Self> {
        let mut terms = Self {
            life: Duration::MAX,
        };
        for charge in charges {
            if !is_leasable(charge) {
                return None;
            }
            terms.life = terms.life.min(charge.bound.quota.window().mul_f64(epsilon));
        }
        Some(terms)
    }
}

/// Only where units come back evenly: elsewhere permits of many callers, each with a few, could all be used beside
/// a whole new window.
fn is_leasable(charge: &Charge) -> bool {
    charge.bound.is_leasable() && matches!(charge.bound.rule, Rule::Gcra(_))
}

impl Leases {
    pub(crate) fn new() -> Self {
        let hasher = RandomState::default();
        let shard = || Mutex::new(HashMap::with_hasher(hasher.clone()));
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher,
        }
    }

    /// Uses a permit, if there is one and the log still bears it out.
    pub(crate) fn take(
        &self,
        charges: &Charges,
        now: Instant,
        holds: impl FnOnce(&mut Seen) -> bool,
    ) -> bool {
        let mut shard = self.shard(charges);
        let Some(lease) = shard.get_mut(charges) else {
            return false;
        };
        if lease.left == 0 || lease.until <= now {
            return false;
        }
        if !holds(&mut lease.seen) {
            lease.left = 0;
            return false;
        }
        lease.left -= 1;
        true
    }

    /// How many to ask for beyond what is needed now: twice as many as last time if they were all used, as
    /// many as were used if not. None while some are left: they came while this request was on its way.
    pub(crate) fn wish(&self, charges: &Charges, terms: Terms) -> u64 {
        let mut shard = self.shard(charges);
        let now = Instant::now();
        if let Some(lease) = shard.get_mut(charges) {
            if lease.until <= now {
                lease.batch = lease.batch.saturating_sub(lease.left).max(1);
            } else if lease.left > 0 {
                return 0;
            } else {
                lease.batch = lease.batch.saturating_mul(2).min(LARGEST_BATCH);
            }
            lease.left = 0;
            lease.until = now + terms.life;
            return lease.batch.min(LARGEST_BATCH);
        }
        if shard.len() >= MOST_PER_SHARD {
            shard.retain(|_, lease| lease.until > now);
        }
        if shard.len() < MOST_PER_SHARD {
            let lease = Lease {
                left: 0,
                until: now + terms.life,
                seen: Seen::default(),
                batch: 1,
            };
            shard.insert(charges.clone(), lease);
        }
        // Who comes once gets no more than one.
        0
    }

    /// Keeps permits that were charged after `sent`, beside those that are left.
    pub(crate) fn put(
        &self,
        charges: &Charges,
        permits: u64,
        sent: Instant,
        life: Duration,
        seen: Seen,
    ) {
        if let Some(lease) = self.shard(charges).get_mut(charges) {
            if lease.left == 0 {
                lease.until = sent + life;
                lease.seen = seen;
            }
            lease.left += permits;
        }
    }

    fn shard(&self, charges: &Charges) -> MutexGuard<'_, HashMap<Charges, Lease, RandomState>> {
        let shard = (self.hasher.hash_one(charges) >> 24) as usize % SHARDS;
        self.shards[shard]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

const SHARDS: usize = 16;

const MOST_PER_SHARD: usize = 1024;

/// Permits in advance for one caller.
const LARGEST_BATCH: u64 = 10_000;
