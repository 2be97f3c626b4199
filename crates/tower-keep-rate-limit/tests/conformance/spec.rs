//! Quotas as the model reads them.

use tower_keep_test_support::Random;

use std::time::Duration;

use tower_keep_rate_limit::Quota;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Even,
    Strict,
    Fixed,
    Slots,
}

/// A quota in plain numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) kind: Kind,
    pub(crate) limit: u32,
    /// Microseconds.
    pub(crate) window: u64,
    pub(crate) burst: Option<u32>,
}

pub(crate) const SECOND: u64 = 1_000_000;
pub(crate) const DAY: u64 = 86_400 * SECOND;

pub(crate) const fn even(limit: u32, window: u64, burst: Option<u32>) -> Spec {
    Spec {
        kind: Kind::Even,
        limit,
        window,
        burst,
    }
}

pub(crate) const fn other(kind: Kind, limit: u32, window: u64) -> Spec {
    Spec {
        kind,
        limit,
        window,
        burst: None,
    }
}

pub(crate) const fn slots(limit: u32) -> Spec {
    other(Kind::Slots, limit, 30 * SECOND)
}

const EVEN: [Spec; 10] = [
    even(3, SECOND, None),
    even(7, SECOND, None),
    even(999_983, DAY, Some(50)),
    even(5, SECOND, Some(12)),
    even(10, SECOND, Some(3)),
    even(1, 1000, None),
    even(100, 60 * SECOND, None),
    even(7, 999_983, Some(9)),
    even(20, 3600 * SECOND, Some(4)),
    even(1, 60 * SECOND, None),
];

const COUNTED: [Spec; 8] = [
    other(Kind::Strict, 3, SECOND),
    other(Kind::Strict, 7, SECOND),
    other(Kind::Strict, 16, 1_000_001),
    other(Kind::Strict, 10, 60 * SECOND),
    other(Kind::Fixed, 3, SECOND),
    other(Kind::Fixed, 5, 60 * SECOND),
    other(Kind::Fixed, 4, 999_983),
    other(Kind::Fixed, 9, DAY),
];

impl Spec {
    pub(crate) fn random(random: &mut Random) -> Self {
        match random.below(8) {
            0..4 => random.pick(&EVEN),
            4..7 => random.pick(&COUNTED),
            _ => slots(1 + random.few(5)),
        }
    }

    /// Another one that can take its place. Of those that count, the window stays: their units would not.
    pub(crate) fn instead(self, random: &mut Random) -> Self {
        match self.kind {
            Kind::Slots => slots(1 + random.few(5)),
            Kind::Even => random.pick(&EVEN),
            _ if random.one_in(6) => random.pick(&EVEN),
            kind => other(kind, 1 + random.few(12), self.window),
        }
    }

    pub(crate) fn quota(self) -> Quota {
        let quota = Quota::new(self.limit, Duration::from_micros(self.window));
        match (self.kind, self.burst) {
            (Kind::Even, None) => quota,
            (Kind::Even, Some(burst)) => quota.burst(burst),
            (Kind::Strict, _) => quota.strict(),
            (Kind::Fixed, _) => quota.fixed_window(),
            (Kind::Slots, _) => Quota::concurrent(self.limit),
        }
    }

    pub(crate) fn most(self) -> u32 {
        self.burst.unwrap_or(self.limit)
    }

    /// Microseconds in the pieces in which it forgets.
    pub(crate) fn piece(self) -> u64 {
        match self.kind {
            Kind::Strict => self.window.div_ceil(16),
            _ => self.window,
        }
    }
}
