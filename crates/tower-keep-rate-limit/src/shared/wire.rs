//! What the scripts are told.

use std::{collections::HashMap, sync::LazyLock};

use foldhash::fast::RandomState;
use serde::Serialize;
use smallvec::SmallVec;
use tower_keep_store::{Key, Script};

use super::{Hub, queue::Batch};
use crate::{
    charge::{Charge, Records},
    place::BanTerms,
    quota::SLOT_LEASE,
    rule::{Record, Rule, micros},
};

pub(super) static CHECK: LazyLock<Script> =
    LazyLock::new(|| Script::new("rate-limit", include_str!("check.lua")));

pub(super) static BAN: LazyLock<Script> =
    LazyLock::new(|| Script::new("ban", include_str!("ban.lua")));

/// A batch as the script wants it: everything by its place in a list, counted from 1.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) buckets: Vec<Called>,
    pub(super) asked: Vec<Asked>,
    places: HashMap<Key, usize, RandomState>,
    rules: Vec<Rule>,
    requests: Vec<u64>,
    claims: Vec<(usize, usize, String, u64)>,
    returns: Vec<(usize, usize, i64, u64)>,
    held: Vec<(usize, usize, u64)>,
}

/// A bucket of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Called {
    pub(super) key: Key,
    pub(super) rule: Rule,
    /// Whether units come back to it by more than time.
    pub(super) is_returnable: bool,
}

/// A request of a call.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The places of its buckets, from 0.
    buckets: SmallVec<[usize; 2]>,
    pub(super) shadows: usize,
}

impl Call {
    pub(super) fn of(batch: &Batch, held: &[(Key, Rule, u64)], hub: &Hub, outages: u32) -> Self {
        let mut call = Self::default();
        for (charges, entry) in &batch.entries {
            let want = entry.waiters.iter().map(|waiter| waiter.want).sum();
            let extra = entry.lease.map_or(0, |life| hub.leases.wish(charges, life));
            call.request(want, extra, charges);
        }
        for given_back in &batch.returns {
            let (bucket, rule) = call.place(&given_back.bucket, &given_back.rule);
            call.returns
                .push((bucket, rule, given_back.units, given_back.back));
        }
        for (key, rule, count) in held {
            let place = call.place(key, rule);
            call.held.push((place.0, place.1, *count));
        }
        call.claim(hub, outages);
        call
    }

    /// Packed.
    pub(super) fn argument(&self, process: u64, given: u64) -> Vec<u8> {
        let rules: SmallVec<[_; 4]> = self.rules.iter().map(numbers).collect();
        let mut argument = Vec::with_capacity(64 + 4 * self.requests.len());
        pack(&mut argument, &given);
        pack(&mut argument, rules.as_slice());
        pack(&mut argument, &self.requests);
        pack(&mut argument, &format_args!("{process:016x}"));
        if !(self.claims.is_empty() && self.returns.is_empty() && self.held.is_empty()) {
            pack(&mut argument, &self.claims);
            pack(&mut argument, &self.returns);
            pack(&mut argument, &self.held);
        }
        argument
    }

    /// What was told of the buckets of the request at this place.
    pub(super) fn records(&self, place: usize, told: &[Record]) -> Records {
        let buckets = self.asked[place].buckets.iter();
        buckets.map(|bucket| told[*bucket].clone()).collect()
    }

    /// What was last known of buckets from before an outage: the server may have forgotten.
    fn claim(&mut self, hub: &Hub, outages: u32) {
        let epoch = hub.log.stamp().epoch;
        let mut locked = hub.lock(&self.buckets);
        for place in 0..self.buckets.len() {
            let Called { key, rule, .. } = self.buckets[place];
            let Some(bucket) = locked.get(&key) else {
                continue;
            };
            // A log that is gone says that the server has forgotten, too.
            let is_other_life = ![0, epoch].contains(&bucket.seen.stamp.epoch);
            let is_forgotten =
                (bucket.outages != outages || is_other_life) && rule.only_time_gives_back();
            if is_forgotten && !hub.was_reset(&key, bucket.seen) {
                let (place, rule) = self.place(&key, &rule);
                let text = bucket.record.text();
                self.claims.push((place, rule, text, bucket.told));
            }
        }
    }

    fn request(&mut self, want: u64, extra: u64, charges: &[Charge]) {
        self.requests.extend([want, extra, charges.len() as u64]);
        let mut asked = Asked::default();
        for charge in charges {
            let (bucket, rule) = self.place(&charge.bucket, charge.rule());
            self.buckets[bucket - 1].is_returnable |= charge.bound.is_returnable;
            self.requests.extend([
                bucket as u64,
                rule as u64,
                charge.cost.into(),
                charge.keep.into(),
                charge.bound.is_shadow.into(),
            ]);
            asked.buckets.push(bucket - 1);
            asked.shadows += usize::from(charge.bound.is_shadow);
        }
        self.asked.push(asked);
    }

    fn place(&mut self, key: &Key, rule: &Rule) -> (usize, usize) {
        let place = *self.places.entry(*key).or_insert_with(|| {
            self.buckets.push(Called {
                key: *key,
                rule: *rule,
                is_returnable: false,
            });
            self.buckets.len()
        });
        let known = self.rules.iter().position(|known| known == rule);
        let rule = known.unwrap_or_else(|| {
            self.rules.push(*rule);
            self.rules.len() - 1
        });
        (place, rule + 1)
    }
}

/// The argument of the ban script, for a ban or to lift one.
pub(super) fn ban(rule: &Rule, terms: BanTerms, given: u64) -> Vec<u8> {
    let longest = terms.doubling_to.map_or(0, micros);
    let length = micros(terms.length);
    packed(&(given, length, longest, rule.longest_life(), false))
}

/// The argument of the ban script, to forget everything.
pub(super) fn reset(rule: &Rule, given: u64) -> Vec<u8> {
    packed(&(given, 0, 0, rule.longest_life(), true))
}

fn numbers(rule: &Rule) -> (u8, u64, u64, u64) {
    match rule {
        Rule::Gcra(gcra) => {
            let most = gcra.burst() * gcra.interval();
            (1, most, gcra.interval(), gcra.parts())
        }
        Rule::Ring(ring) => (2, ring.limit(), 1, ring.part()),
        Rule::Window(window) => (3, window.limit(), 1, window.window()),
        Rule::Slots(slots) => {
            let lease = u64::try_from(SLOT_LEASE.as_millis()).unwrap_or(u64::MAX);
            (4, slots.limit(), 1, lease)
        }
    }
}

fn packed(value: &impl Serialize) -> Vec<u8> {
    let mut argument = Vec::new();
    pack(&mut argument, value);
    argument
}

fn pack<V: Serialize + ?Sized>(argument: &mut Vec<u8>, value: &V) {
    rmp_serde::encode::write(argument, value)
        .expect("numbers, strings and lists of them can be packed");
}
