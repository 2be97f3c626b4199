//! Random quotas, and random moments and costs for them.

use std::time::Duration;

use tower_keep_test_support::{Random, seed};

use super::{
    super::{Record, Rule, State},
    model::{Bucket, Count, List, Model},
};
use crate::quota::Quota;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gcra,
    Strict,
    Fixed,
    Slots,
}

pub(super) const KINDS: [Kind; 4] = [Kind::Gcra, Kind::Strict, Kind::Fixed, Kind::Slots];

/// Those that time gives back.
pub(super) const TIMED: [Kind; 3] = [Kind::Gcra, Kind::Strict, Kind::Fixed];

#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) kind: Kind,
    pub(super) limit: u64,
    /// Microseconds.
    pub(super) window: u64,
    pub(super) burst: u64,
}

pub(super) const YEAR: u64 = 366 * 24 * 3600 * 1_000_000;

const LIMITS: [u64; 13] = [
    1,
    2,
    3,
    7,
    10,
    16,
    17,
    100,
    997,
    700_000,
    999_983,
    1_000_000,
    4_294_967_295,
];

const WINDOWS: [u64; 10] = [
    1000,
    1001,
    1016,
    999_983,
    1_000_000,
    1_234_567,
    60_000_000,
    3_600_000_000,
    86_400_000_000,
    YEAR,
];

impl Case {
    pub(super) fn new(kind: Kind, limit: u64, window: u64, burst: u64) -> Self {
        Self {
            kind,
            limit,
            window,
            burst,
        }
    }

    /// One of this kind that can be built.
    pub(super) fn random(kind: Kind, random: &mut Random) -> Self {
        loop {
            let limit = match random.below(3) {
                0 => random.pick(&LIMITS),
                1 => random.size(50),
                _ => random.size(u64::from(u32::MAX)),
            };
            let window = match random.below(2) {
                0 => random.pick(&WINDOWS),
                _ => (999 + random.size(YEAR)).min(YEAR),
            };
            let burst = match (kind, random.below(4)) {
                (Kind::Gcra, 0) => random.size(100),
                (Kind::Gcra, 1) => random.size(limit),
                (Kind::Gcra, 2) => (limit * 3).min(u64::from(u32::MAX)),
                _ => limit,
            };
            let case = Self::new(kind, limit, window, burst);
            if case.quota().rule().is_ok() {
                return case;
            }
        }
    }

    pub(super) fn quota(&self) -> Quota {
        let limit = u32::try_from(self.limit).expect("a limit");
        let quota = Quota::new(limit, Duration::from_micros(self.window));
        match self.kind {
            Kind::Gcra => quota.burst(u32::try_from(self.burst).expect("a burst")),
            Kind::Strict => quota.strict(),
            Kind::Fixed => quota.fixed_window(),
            Kind::Slots => Quota::concurrent(limit),
        }
    }

    pub(super) fn rule(&self) -> Rule {
        self.quota().rule().expect("a good quota")
    }

    /// A sub-window of the strict limit.
    pub(super) fn sixteenth(&self) -> u64 {
        self.window.div_ceil(16)
    }

    /// The longest time after which a unit is available again.
    pub(super) fn longest_wait(&self) -> u64 {
        match self.kind {
            Kind::Gcra => {
                let (parts, interval) = self.fraction();
                u64::try_from(interval.div_ceil(parts)).expect("a time")
            }
            Kind::Strict => 17 * self.sixteenth(),
            Kind::Fixed => self.window,
            Kind::Slots => 1_000_000,
        }
    }

    /// The longest time after which all of it is available again.
    pub(super) fn longest_wait_for_all(&self) -> u64 {
        match self.kind {
            Kind::Gcra => self.burst * self.longest_wait(),
            _ => self.longest_wait(),
        }
    }

    /// The limit over the window, as the rule has it: the same fraction, unless its numbers would be too
    /// large.
    pub(super) fn fraction(&self) -> (u128, u128) {
        match self.rule() {
            Rule::Gcra(gcra) => (u128::from(gcra.parts()), u128::from(gcra.interval())),
            _ => (u128::from(self.limit), u128::from(self.window)),
        }
    }

    pub(super) fn is_exact(&self) -> bool {
        let (parts, interval) = self.fraction();
        parts * u128::from(self.window) == interval * u128::from(self.limit)
    }

    pub(super) fn model(&self) -> Box<dyn Model> {
        match self.kind {
            Kind::Gcra => Box::new(self.bucket()),
            Kind::Strict => Box::new(self.list(self.sixteenth(), 17)),
            Kind::Fixed => Box::new(self.list(self.window, 1)),
            Kind::Slots => Box::new(Count {
                limit: self.limit,
                taken: 0,
            }),
        }
    }

    fn bucket(&self) -> Bucket {
        let (limit, window) = match self.is_exact() {
            true => (u128::from(self.limit), u128::from(self.window)),
            false => self.fraction(),
        };
        Bucket {
            limit,
            window,
            burst: u128::from(self.burst),
            filled: 0,
            at: 0,
        }
    }

    fn list(&self, part: u64, counted: u64) -> List {
        List {
            limit: self.limit,
            part,
            counted,
            used: Vec::new(),
        }
    }

    /// Some time later, often just at or beside a moment at which something changes.
    pub(super) fn later(&self, random: &mut Random, now: u64, state: &State) -> u64 {
        let rule = self.rule();
        match random.below(10) {
            0 | 1 => now,
            2 => now + 1,
            3 => now + rule.wait(state, now, 1),
            4 => now + rule.wait(state, now, random.size(self.burst)),
            5 => (now / self.window + 1) * self.window - random.below(2),
            6 => {
                (now / self.sixteenth() + 1 + random.below(17)) * self.sixteenth() - random.below(2)
            }
            7 => now + self.longest_wait() - random.below(2),
            8 => now + random.size(self.window),
            _ => now + random.below(3 * self.window),
        }
    }

    pub(super) fn cost(&self, random: &mut Random, available: u64) -> u64 {
        match random.below(8) {
            0 => available.max(1),
            1 => available + 1,
            2 => random.size(self.burst),
            3 => self.burst + random.size(5),
            4 => random.size(available.max(1)),
            _ => 1,
        }
    }

    /// A state that schedules lead to, at this moment.
    pub(super) fn used(&self, random: &mut Random, now: u64) -> State {
        let rule = self.rule();
        let mut state = State::default();
        for _ in 0..random.below(6) {
            let earlier = now - random.size(2 * self.window);
            let units = self.cost(random, rule.available(&state, earlier));
            state = rule.charge(&state, earlier, units);
        }
        state
    }
}

/// A moment of our century.
pub(super) fn moment(random: &mut Random) -> u64 {
    1_600_000_000_000_000 + random.below(100_000_000_000_000)
}

/// The last moment of a schedule: beyond it lie the numbers that a server's script cannot hold.
pub(super) const END: u64 = 1 << 52;

/// The state after it was written down and read.
pub(super) fn stored(state: State) -> State {
    let record = Record { state, ban: None };
    Record::parse(&record.text()).state
}

/// Each of these kinds in many cases, at random moments.
pub(super) fn in_many_states(kinds: &[Kind], check: impl Fn(&mut Random, Case, u64)) {
    let mut random = Random::new(seed());
    for kind in kinds {
        for _ in 0..TIMES {
            let case = Case::random(*kind, &mut random);
            let now = moment(&mut random);
            check(&mut random, case, now);
        }
    }
}

pub(super) const TIMES: u64 = 5_000;
