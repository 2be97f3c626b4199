//! What a clock that never went back allows: no more than that passes by one that does.

use std::collections::HashMap;

use crate::{
    model::{Charge, Used},
    plan::{Plan, Source},
    spec::Kind,
    told::Told,
};

/// Limits that forget evenly, by all the time that went by.
pub(crate) struct Bounds {
    /// Those that are compared: with one quota, and nothing given back.
    is_bounded: Vec<bool>,
    used: HashMap<(usize, u8), Used>,
    passed: u64,
}

impl Bounds {
    pub(crate) fn new(plan: &Plan) -> Self {
        let policies = plan.policies.iter();
        let is_bounded = policies.map(|policy| {
            let is_plain = policy.source == Source::Fixed && !policy.settles && !policy.is_shadow;
            is_plain && policy.spec.kind == Kind::Even
        });
        Self {
            is_bounded: is_bounded.collect(),
            used: HashMap::new(),
            // Long after nothing.
            passed: 1 << 50,
        }
    }

    /// Only forward: a clock that goes back makes no time undone.
    pub(crate) fn step(&mut self, by: i64) {
        self.passed += u64::try_from(by).unwrap_or(0);
    }

    /// Charges what passed, and compares what is left.
    pub(crate) fn charge(&mut self, charges: &[Charge], key: u8, told: &Told) {
        let now = self.passed;
        for (charge, line) in charges.iter().zip(&told.lines) {
            if !self.is_bounded[charge.policy] {
                continue;
            }
            let used = self.used.entry((charge.policy, key)).or_default();
            let (spec, cost) = (charge.spec, u64::from(charge.cost));
            let there = used.available(spec, now);
            assert!(cost <= there, "{cost} of {there} passed: {line:?}");
            used.charge(spec, now, cost);
            let most = used.available(spec, now);
            assert!(
                u64::from(line.remaining) <= most,
                "at most {most} are left: {line:?}"
            );
        }
    }

    /// Begins anew where something else changed a bucket.
    pub(crate) fn forget(&mut self, policy: usize, key: u8) {
        self.used.remove(&(policy, key));
    }
}
