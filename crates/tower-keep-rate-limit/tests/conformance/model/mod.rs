//! The reference: what the documentation says, as plainly as it can be written.

mod answer;
mod bucket;
mod even;
mod list;
mod used;

use std::collections::HashMap;

pub(crate) use self::{bucket::Bucket, used::Used};
use crate::{
    operation::Ask,
    plan::Plan,
    spec::{Kind, Spec},
    told::{Line, Told},
};

/// All buckets, by the policy and the key.
pub(crate) struct Model {
    plan: Plan,
    pub(crate) buckets: HashMap<(usize, u8), Bucket>,
    adjusted: HashMap<(usize, u8), Spec>,
}

/// What one policy makes of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charge {
    pub(crate) policy: usize,
    pub(crate) spec: Spec,
    pub(crate) cost: u32,
    pub(crate) keep: u32,
    pub(crate) is_shadow: bool,
}

/// A request that passed: what its end will change.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    key: u8,
    /// Charges with what they cost after all, and when they will have come back by themselves.
    unsettled: Vec<(Charge, u32, u64)>,
    held: Vec<Charge>,
}

impl Charge {
    fn needed(&self) -> u64 {
        match self.cost {
            0 => 0,
            cost => u64::from(cost) + u64::from(self.keep),
        }
    }

    fn can_never_pass(&self) -> bool {
        !self.is_shadow && self.needed() > u64::from(self.spec.most())
    }
}

impl Model {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            buckets: HashMap::new(),
            adjusted: HashMap::new(),
        }
    }

    pub(crate) fn ask(&mut self, ask: &Ask, now: u64) -> (Told, Option<Passed>) {
        let charges = self.charges(ask);
        if charges.iter().any(Charge::can_never_pass) {
            let never = charges.into_iter().filter(Charge::can_never_pass);
            return (self.too_costly(&never.collect::<Vec<_>>()), None);
        }
        let (granted, shadows) = self.charge_all(&charges, ask.key, 1, now);
        let told = self.tell(&charges, ask.key, granted > 0, &shadows, now);
        let passed = (granted > 0).then(|| self.passed(ask, &charges, &shadows));
        (told, passed)
    }

    /// What the response of a request changes.
    pub(crate) fn settle(&mut self, passed: &Passed, now: u64) {
        for (charge, cost, back) in &passed.unsettled {
            let bucket = self.bucket(charge.policy, passed.key);
            if *cost < charge.cost {
                let units = u64::from(charge.cost - cost);
                bucket.used.refund(charge.spec, now, units, *back);
            } else if *cost > charge.cost {
                let units = u64::from(cost - charge.cost);
                bucket.used.charge(charge.spec, now, units);
            }
        }
    }

    /// The end of a response's body.
    pub(crate) fn release(&mut self, passed: &Passed) {
        for charge in &passed.held {
            let bucket = self.bucket(charge.policy, passed.key);
            bucket.used.release(u64::from(charge.cost));
        }
    }

    pub(crate) fn peek(&self, policy: usize, key: u8, now: u64) -> Line {
        let charge = self.of_outsider(policy, key);
        self.line(&charge, key, true, now)
    }

    pub(crate) fn take(&mut self, policy: usize, key: u8, at_most: u32, now: u64) -> u32 {
        if at_most == 0 {
            // No more than a look.
            return 0;
        }
        let charge = self.of_outsider(policy, key);
        let (granted, _) = self.charge_all(&[charge], key, u64::from(at_most), now);
        u32::try_from(granted).expect("at most what was wanted")
    }

    pub(crate) fn reset(&mut self, policy: usize, key: u8) {
        self.buckets.remove(&(policy, key));
    }

    pub(crate) fn ban(&mut self, policy: usize, key: u8, until: Option<u64>) {
        self.bucket(policy, key).banned_until = until;
    }

    pub(crate) fn adjust(&mut self, policy: usize, key: u8, spec: Option<Spec>) {
        match spec {
            Some(spec) => self.adjusted.insert((policy, key), spec),
            None => self.adjusted.remove(&(policy, key)),
        };
    }

    pub(crate) fn bucket(&mut self, policy: usize, key: u8) -> &mut Bucket {
        self.buckets.entry((policy, key)).or_default()
    }

    /// The charges of a request, in the order of the policies.
    pub(crate) fn charges(&self, ask: &Ask) -> Vec<Charge> {
        let policies = self.plan.policies.iter().enumerate();
        let charge = |(index, policy): (usize, &crate::plan::PolicyPlan)| {
            let part = &ask.parts[index];
            let adjusted = self.adjusted.get(&(index, ask.key)).copied();
            Charge {
                policy: index,
                spec: part.spec.or(adjusted).unwrap_or(policy.spec),
                cost: part.cost,
                keep: policy.reserve.filter(|_| !ask.is_critical).unwrap_or(0),
                is_shadow: policy.is_shadow,
            }
        };
        policies.map(charge).collect()
    }

    fn of_outsider(&self, policy: usize, key: u8) -> Charge {
        let of = &self.plan.policies[policy];
        let adjusted = self.adjusted.get(&(policy, key)).copied();
        Charge {
            policy,
            spec: adjusted.unwrap_or(of.spec),
            cost: 1,
            keep: 0,
            is_shadow: of.is_shadow,
        }
    }

    fn charge_all(&mut self, charges: &[Charge], key: u8, want: u64, now: u64) -> (u64, Vec<bool>) {
        let room = |model: &mut Self, charge: &Charge| {
            let bucket = model.bucket(charge.policy, key);
            bucket.times(charge, now)
        };
        let mut granted = want;
        for charge in charges.iter().filter(|charge| !charge.is_shadow) {
            granted = granted.min(room(self, charge));
        }
        let mut shadows = Vec::new();
        for charge in charges {
            let mut times = granted;
            if charge.is_shadow {
                let room = room(self, charge);
                shadows.push(room < granted);
                if charge.spec.kind != Kind::Slots {
                    times = granted.min(room);
                }
            }
            let used = &mut self.bucket(charge.policy, key).used;
            match times * u64::from(charge.cost) {
                0 => used.heal(charge.spec, now),
                units => used.charge(charge.spec, now, units),
            }
        }
        (granted, shadows)
    }

    fn passed(&mut self, ask: &Ask, charges: &[Charge], shadows: &[bool]) -> Passed {
        let mut shadows = shadows.iter();
        let mut passed = Passed {
            key: ask.key,
            unsettled: Vec::new(),
            held: Vec::new(),
        };
        for charge in charges {
            // A shadow that would have refused it was not charged: nothing is to be put right.
            let was_refused = charge.is_shadow && *shadows.next().expect("one for each shadow");
            if self.plan.policies[charge.policy].settles && !was_refused {
                let back = self.bucket(charge.policy, ask.key).used.back(charge.spec);
                let cost = ask.parts[charge.policy].outcome;
                passed.unsettled.push((*charge, cost, back));
            }
            if charge.spec.kind == Kind::Slots {
                passed.held.push(*charge);
            }
        }
        passed
    }
}
