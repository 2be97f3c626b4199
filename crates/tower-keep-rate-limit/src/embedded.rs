//! The buckets of a process that is alone.

use std::{fmt, sync::Arc, sync::Weak};

use smallvec::SmallVec;
use tower_keep_store::{Clock, Store};

use crate::{
    buckets::{Buckets, Locked},
    charge::{Charge, Charges, Records, grantable},
    place::{BanTerms, Decision, Source},
    rule::{Ban, Record, Rule, micros},
    slots::{Held, Holder, Slot},
};

/// Decides under the locks of the buckets concerned: nothing is in between.
pub(crate) struct Embedded {
    buckets: Arc<Buckets>,
    clock: Clock,
}

impl Embedded {
    pub(crate) fn new(store: &Store) -> Self {
        Self {
            buckets: Arc::new(Buckets::of(store)),
            clock: store.clock().clone(),
        }
    }

    pub(crate) fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    pub(crate) fn decide(&self, charges: &Charges, want: u64) -> Decision {
        let mut locked = self
            .buckets
            .lock(charges.iter().map(|charge| &charge.bucket));
        // Read under the lock: whoever comes later is not earlier.
        let now = self.now();
        let (granted, shadows, records) = charge_all(&mut locked, charges, now, 1, want);
        drop(locked);
        Decision {
            granted,
            shadows,
            records,
            now,
            factor: 1,
            source: Source::Store,
            held: self.hold(charges, granted),
        }
    }

    pub(crate) fn give_back(&self, charge: &Charge, units: i64, back: u64) {
        let mut locked = self.buckets.lock([&charge.bucket].into_iter());
        give_back(&mut locked, charge, self.now(), units, back);
    }

    pub(crate) fn ban(&self, key: &tower_keep_store::Key, terms: BanTerms) {
        let now = self.now();
        let mut locked = self.buckets.lock([key].into_iter());
        let bucket = locked.entry(key, now);
        let before = bucket.record.ban.as_deref().copied();
        bucket.record.ban = next_ban(before, terms, now).map(Box::new);
        bucket.idle = bucket.idle.max(bucket.record.forgotten());
    }

    fn hold(&self, charges: &Charges, granted: u64) -> Option<Box<Held>> {
        let holder = || Holder::Embedded(Arc::downgrade(&self.buckets));
        Held::of(charges, granted, holder)
    }

    fn now(&self) -> u64 {
        self.clock.now().as_micros()
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}

/// Gives slots back to buckets that are still there.
pub(crate) fn release(buckets: &Weak<Buckets>, slots: &[Slot]) {
    let Some(buckets) = buckets.upgrade() else {
        return;
    };
    for slot in slots {
        let mut locked = buckets.lock([&slot.bucket].into_iter());
        if let Some(bucket) = locked.get(&slot.bucket) {
            bucket.record.state = slot
                .rule
                .refund(&bucket.record.state, 0, slot.units, u64::MAX);
            bucket.idle = idle(&slot.rule, &bucket.record, 0);
        }
    }
}

/// Makes the charges as often as all have room for, and says how often that is, which of the shadows would have
/// refused it, and what the buckets are now.
pub(crate) fn charge_all(
    locked: &mut Locked<'_>,
    charges: &[Charge],
    now: u64,
    factor: u64,
    want: u64,
) -> (u64, SmallVec<[bool; 2]>, Records) {
    let mut shadows = SmallVec::new();
    let mut records = records(locked, charges);
    if want == 0 {
        // Who only looks changes nothing.
        return (0, shadows, records);
    }
    let granted = grantable(charges, records.iter(), now, factor, want);
    for (charge, record) in charges.iter().zip(&mut records) {
        let rule = charge.rule();
        let mut times = granted;
        if charge.bound.is_shadow {
            let room = charge.times(record, now, factor);
            shadows.push(room < granted);
            // Slots are held by whoever runs.
            if rule.only_time_gives_back() {
                times = granted.min(room);
            }
        }
        let units = times * u64::from(charge.cost) * factor;
        // Also where nothing is charged, a time from another clock is set right; otherwise nothing changes.
        if units > 0 || !rule.is_plausible(&record.state, now) {
            record.state = rule.charge(&record.state, now, units);
            let bucket = locked.entry(&charge.bucket, now);
            bucket.record.state.clone_from(&record.state);
            bucket.idle = idle(rule, record, now);
        }
    }
    (granted, shadows, records)
}

/// Gives units of a charge back that will have come back by themselves at the moment `back`, or takes more where
/// negative.
pub(crate) fn give_back(locked: &mut Locked<'_>, charge: &Charge, now: u64, units: i64, back: u64) {
    let rule = charge.rule();
    let bucket = locked.entry(&charge.bucket, now);
    let state = &bucket.record.state;
    let amount = units.unsigned_abs();
    bucket.record.state = if units >= 0 {
        rule.refund(state, now, amount, back)
    } else {
        rule.charge(state, now, amount)
    };
    bucket.idle = idle(rule, &bucket.record, now);
}

pub(crate) fn records(locked: &mut Locked<'_>, charges: &[Charge]) -> Records {
    let mut records = Records::new();
    for charge in charges {
        let bucket = locked.get(&charge.bucket);
        records.push(bucket.map_or_else(Record::default, |bucket| bucket.record.clone()));
    }
    records
}

/// When nothing of a bucket is used any more.
pub(crate) fn idle(rule: &Rule, record: &Record, now: u64) -> u64 {
    let back = match rule {
        Rule::Slots(slots) if rule.available(&record.state, now) < slots.limit() => u64::MAX,
        Rule::Slots(_) => now,
        _ => now + rule.wait(&record.state, now, rule.most_at_once()),
    };
    back.max(record.forgotten())
}

/// The ban after this one.
fn next_ban(before: Option<Ban>, terms: BanTerms, now: u64) -> Option<Ban> {
    let length = micros(terms.length);
    if length == 0 {
        return None;
    }
    // Refusals that come before a ban is known are no reason for another.
    if terms.doubling_to.is_some() && before.is_some_and(|ban| ban.until > now) {
        return before;
    }
    let level = before
        .filter(|ban| ban.forgotten > now)
        .map_or(0, |ban| ban.level);
    let length = match terms.doubling_to {
        Some(longest) => length
            .saturating_mul(1 << level.min(60))
            .min(micros(longest)),
        None => length,
    };
    Some(Ban {
        until: now.saturating_add(length),
        level: level + 1,
        // Whoever behaves for as long as the ban lasted begins anew.
        forgotten: now.saturating_add(length.saturating_mul(2)),
    })
}
