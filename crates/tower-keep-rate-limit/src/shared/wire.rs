//! What the scripts are told, and what they answer.

use std::{collections::HashMap, sync::LazyLock};

use serde::Serialize;
use tower_keep_store::{Key, Script};

use super::{Hub, flight::Told, queue::Batch};
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
    places: HashMap<Key, usize>,
    rules: Vec<Rule>,
    claims: Vec<(usize, usize, String)>,
    returns: Vec<(usize, usize, i64, u64)>,
    held: Vec<(usize, usize, u64)>,
    requests: Vec<(u64, u64, Vec<ChargeWire>)>,
}

/// A bucket of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Called {
    pub(super) key: Key,
    pub(super) rule: Rule,
    /// Whether units come back to it by more than time.
    pub(super) is_returnable: bool,
}

/// Bucket, rule, cost, what is to be kept, and 1 for a shadow.
type ChargeWire = (usize, usize, u32, u32, u8);

impl Call {
    pub(super) fn of(batch: &Batch, held: &[(Key, Rule, u64)], hub: &Hub, outages: u32) -> Self {
        let mut call = Self::default();
        for entry in &batch.entries {
            let want = entry.waiters.iter().map(|waiter| waiter.want).sum();
            let extra = entry
                .terms
                .map_or(0, |terms| hub.leases.wish(&entry.charges, terms));
            let charges = entry.charges.iter().map(|charge| call.charge(charge));
            let charges = charges.collect();
            call.requests.push((want, extra, charges));
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
        let rules: Vec<_> = self.rules.iter().map(numbers).collect();
        pack(&(
            format!("{process:016x}"),
            given,
            rules,
            &self.claims,
            &self.returns,
            &self.held,
            &self.requests,
        ))
    }

    /// What was told of the buckets of the request at this place.
    pub(super) fn records(&self, place: usize, told: &[Record]) -> Records {
        let (_, _, charges) = &self.requests[place];
        let record = |charge: &ChargeWire| told.get(charge.0 - 1).cloned().unwrap_or_default();
        charges.iter().map(record).collect()
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
                self.claims.push((place, rule, bucket.record.text()));
            }
        }
    }

    fn charge(&mut self, charge: &Charge) -> ChargeWire {
        let (bucket, rule) = self.place(&charge.bucket, &charge.bound.rule);
        self.buckets[bucket - 1].is_returnable |= charge.bound.is_returnable;
        let is_shadow = u8::from(charge.bound.is_shadow);
        (bucket, rule, charge.cost, charge.keep, is_shadow)
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

/// Reads the script's answer; nothing if it is not one.
pub(super) fn told(reply: &[u8], call: &Call) -> Option<Told> {
    type Reply = (u64, Vec<u64>, Vec<Vec<u64>>, Vec<String>);
    let (now, granted, shadows, states): Reply = rmp_serde::from_slice(reply).ok()?;
    let requests = call.requests.len();
    let is_whole = granted.len() == requests
        && shadows.len() == requests
        && states.len() == call.buckets.len();
    is_whole.then(|| Told {
        now,
        granted,
        shadows,
        records: states.iter().map(|state| Record::parse(state)).collect(),
    })
}

/// The argument of the ban script.
pub(super) fn ban(rule: &Rule, terms: BanTerms, given: u64) -> Vec<u8> {
    let longest = terms.doubling_to.map_or(0, micros);
    pack(&(given, micros(terms.length), longest, rule.longest_life()))
}

fn numbers(rule: &Rule) -> (u8, u64, u64, u64) {
    match rule {
        Rule::Gcra(gcra) => (1, gcra.parts(), gcra.interval(), gcra.burst()),
        Rule::Ring(ring) => (2, ring.limit(), ring.part(), 0),
        Rule::Window(window) => (3, window.limit(), window.window(), 0),
        Rule::Slots(slots) => {
            let lease = u64::try_from(SLOT_LEASE.as_millis()).unwrap_or(u64::MAX);
            (4, slots.limit(), lease, 0)
        }
    }
}

fn pack(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("numbers, strings and lists of them can be packed")
}
