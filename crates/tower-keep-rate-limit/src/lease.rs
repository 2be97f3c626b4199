//! Permits taken in advance, so that a busy caller needs no round trip for each request.
//!
//! They are charged when they are taken and lapse soon after, so that in the long run nothing more is used
//! than is allowed. What can be exceeded is the limit in one interval, by the permits that were charged
//! before it began and are used within it. Only limits that forget evenly have permits, which live for `epsilon`
//! of their window: no more than `epsilon · limit` of them can have been charged in that time beyond a full
//! bucket, whoever they are for.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use foldhash::fast::RandomState;
use tokio::time::Instant;

use crate::{
    buckets::Seen,
    charge::{Charge, Charges, Records},
};

/// The permits that this process has in advance.
#[derive(Debug)]
pub(crate) struct Leases {
    shards: Box<[Mutex<Shard>]>,
}

type Shard = HashMap<Charges, Lease, RandomState>;

#[derive(Debug)]
struct Lease {
    left: u64,
    until: Instant,
    seen: Seen,
    /// The buckets as they were when the permits were charged.
    records: Records,
    /// How many to ask for next.
    batch: u64,
}

/// Permits that were charged beyond what was needed.
#[derive(Debug)]
pub(crate) struct Permits {
    pub(crate) count: u64,
    /// No later than they were charged.
    pub(crate) sent: Instant,
    pub(crate) seen: Seen,
    pub(crate) records: Records,
}

/// How long permits for these charges live; none where one of them must be decided each time.
pub(crate) fn life(charges: &Charges, epsilon: f64) -> Option<Duration> {
    let life = |charge: &Charge| {
        let window = charge.bound.quota.window();
        charge.bound.is_leasable().then(|| window.mul_f64(epsilon))
    };
    let lives = charges.iter().map(life);
    lives.reduce(|one, other| Some(one?.min(other?)))?
}

impl Leases {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Uses a permit, if there is one and the log still bears it out, and says what was last known of the buckets.
    pub(crate) fn take(
        &self,
        charges: &Charges,
        now: Instant,
        holds: impl FnOnce(&mut Seen) -> bool,
    ) -> Option<Records> {
        let mut shard = self.shard(charges);
        let lease = shard.get_mut(charges)?;
        if lease.left == 0 || lease.until <= now {
            return None;
        }
        if !holds(&mut lease.seen) {
            lease.left = 0;
            return None;
        }
        lease.left -= 1;
        Some(lease.records.clone())
    }

    /// How many to ask for beyond what is needed now: twice as many as last time if they were all used, as
    /// many as were used if not. None while some are left: they came while this request was on its way.
    pub(crate) fn wish(&self, charges: &Charges, life: Duration) -> u64 {
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
            lease.until = now + life;
            return lease.batch;
        }
        if shard.len() >= MOST_PER_SHARD {
            shard.retain(|_, lease| lease.until > now);
        }
        if shard.len() < MOST_PER_SHARD {
            let lease = Lease {
                left: 0,
                until: now + life,
                seen: Seen::default(),
                records: Records::new(),
                batch: 1,
            };
            shard.insert(charges.clone(), lease);
        }
        // Who comes once gets no more than one.
        0
    }

    /// Keeps permits for so long, beside those that are left.
    pub(crate) fn put(&self, charges: &Charges, permits: Permits, life: Duration) {
        if let Some(lease) = self.shard(charges).get_mut(charges) {
            if lease.left == 0 {
                lease.until = permits.sent + life;
                lease.seen = permits.seen;
            }
            lease.records = permits.records;
            lease.left += permits.count;
        }
    }

    fn shard(&self, charges: &Charges) -> MutexGuard<'_, Shard> {
        let shard = charges.first().map_or(0, |charge| {
            // As good as chance.
            usize::from(charge.bucket.digest()[0])
        });
        self.shards[shard % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

const SHARDS: usize = 16;

const MOST_PER_SHARD: usize = 1024;

/// Permits in advance for one caller.
const LARGEST_BATCH: u64 = 10_000;
