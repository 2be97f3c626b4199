//! What can happen in a schedule.

use tower_keep_test_support::Random;

use crate::{
    model::Model,
    plan::{Plan, Source},
    spec::{DAY, Kind, SECOND, Spec},
};

/// What a request asks for.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) key: u8,
    pub(crate) is_critical: bool,
    /// For each policy.
    pub(crate) parts: Vec<Part>,
}

impl Ask {
    /// A unit of everything.
    pub(crate) fn one(key: u8, policies: usize) -> Self {
        let part = Part {
            cost: 1,
            outcome: 1,
            spec: None,
        };
        Self {
            key,
            is_critical: true,
            parts: vec![part; policies],
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) cost: u32,
    pub(crate) outcome: u32,
    pub(crate) spec: Option<Spec>,
}

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// A request whose response comes when it [ends](Self::Answer), or at once.
    Ask {
        ask: Ask,
        is_slow: bool,
    },
    /// The response of the slow request at this place among those under way.
    Answer(usize),
    /// The end of the body at this place among those that are read.
    End(usize),
    Peek(usize, u8),
    Take(usize, u8, u32),
    Reset(usize, u8),
    /// For so many microseconds.
    Ban(usize, u8, u64),
    Unban(usize, u8),
    Adjust(usize, u8, Option<Spec>),
    /// Moves the clock by so many microseconds.
    Step(i64),
}

impl Operation {
    /// The key that it is about.
    pub(crate) fn key(&self) -> Option<u8> {
        match self {
            Self::Ask { ask, .. } => Some(ask.key),
            Self::Peek(_, key)
            | Self::Take(_, key, _)
            | Self::Reset(_, key)
            | Self::Ban(_, key, _)
            | Self::Unban(_, key)
            | Self::Adjust(_, key, _) => Some(*key),
            Self::Answer(_) | Self::End(_) | Self::Step(_) => None,
        }
    }
}

/// Makes operations that may happen now.
pub(crate) struct Next<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) plan: &'a Plan,
    pub(crate) model: &'a Model,
    pub(crate) now: u64,
    pub(crate) under_way: usize,
    pub(crate) read: usize,
}

impl Next<'_> {
    pub(crate) fn operation(&mut self) -> Operation {
        if self.under_way > 4 || self.under_way > 0 && self.random.one_in(8) {
            return Operation::Answer(self.random.index(self.under_way));
        }
        if self.read > 4 || self.read > 0 && self.random.one_in(4) {
            return Operation::End(self.random.index(self.read));
        }
        match self.random.below(20) {
            0..5 => Operation::Step(self.step()),
            5..8 => self.administration(),
            _ => Operation::Ask {
                ask: self.ask(),
                is_slow: self.random.one_in(6),
            },
        }
    }

    pub(crate) fn ask(&mut self) -> Ask {
        let mut parts = Vec::new();
        for policy in &self.plan.policies {
            let spec = policy.asked_spec(self.random);
            let cost = self.cost(spec.unwrap_or(policy.spec));
            let outcome = match self.random.below(3) {
                0 => 0,
                1 => cost,
                _ => self.random.few(2 * policy.spec.most().min(20) + 1),
            };
            parts.push(Part {
                cost,
                outcome,
                spec,
            });
        }
        Ask {
            key: self.key(),
            is_critical: self.random.one_in(3),
            parts,
        }
    }

    fn cost(&mut self, spec: Spec) -> u32 {
        match self.random.below(12) {
            0 => 0,
            1 => self.random.few(spec.most() + 1),
            2 => spec.most(),
            // Too costly, and seldom: nothing else can be seen of such a request.
            3 if self.random.one_in(3) => spec.most() + 1 + self.random.few(3),
            4 => 2.min(spec.most()),
            _ => 1,
        }
    }

    fn key(&mut self) -> u8 {
        self.random.pick(&[0, 1, 2, 3]) % self.plan.keys
    }

    fn administration(&mut self) -> Operation {
        let (policy, key) = (self.random.index(self.plan.policies.len()), self.key());
        let of = &self.plan.policies[policy];
        let is_slots = of.spec.kind == Kind::Slots;
        match self.random.below(7) {
            0 if !is_slots => {
                let at_most = self.random.few(2 * of.spec.most().min(100) + 2);
                Operation::Take(policy, key, at_most)
            }
            // What a clock that goes back makes of bans and of what was forgotten is not said anywhere.
            1 if !is_slots && !self.plan.goes_back => Operation::Reset(policy, key),
            2 if !is_slots && !self.plan.goes_back => {
                let length = self.random.pick(&[1000, 50_000, SECOND, 90 * SECOND]);
                Operation::Ban(policy, key, length)
            }
            3 if !is_slots && !self.plan.goes_back => Operation::Unban(policy, key),
            _ if of.source == Source::Adjustable => {
                let spec = (!self.random.one_in(4)).then(|| of.spec.instead(self.random));
                // One that the reserve eats up whole is not taken.
                let reserved = of.reserve.unwrap_or(0);
                let spec = spec.filter(|spec| spec.most() > reserved);
                Operation::Adjust(policy, key, spec)
            }
            _ => Operation::Peek(policy, key),
        }
    }

    /// Some time, often to a moment at which something changes, or to just before it.
    fn step(&mut self) -> i64 {
        let policy = self.random.index(self.plan.policies.len());
        let spec = self.plan.policies[policy].spec;
        let used = self.model.buckets.get(&(policy, self.key()));
        let beside = self.random.below(2);
        let to = |piece: u64, now: u64| piece - now % piece;
        let step = match self.random.below(12) {
            0 => 0,
            1 => 1,
            2 => to(spec.window, self.now) - beside,
            3 => to(spec.piece(), self.now) + self.random.below(17) * spec.piece() - beside,
            4 => self.random.below(3 * spec.window),
            5 => (1 + self.random.below(3)) * spec.window,
            6 => self.random.below(DAY),
            7 => spec.window / u64::from(spec.limit) + beside,
            _ => used.map_or(1, |bucket| {
                let units = 1 + self.random.below(u64::from(spec.most()));
                let wait = bucket.used.wait(spec, self.now, units);
                wait.max(bucket.banned(self.now)).saturating_sub(beside)
            }),
        };
        let step = i64::try_from(step).expect("some days");
        if self.plan.has_slots() {
            // Slots of whoever does not renew them lapse, and nobody renews them by this clock.
            return step.min(100_000);
        }
        match self.plan.goes_back && self.random.one_in(3) {
            true => -step,
            false => step,
        }
    }
}
