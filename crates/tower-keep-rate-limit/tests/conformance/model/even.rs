//! The moment at which all that was used will have come back, as a fraction of a microsecond.

use crate::spec::Spec;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Even {
    /// `moment / parts` microseconds.
    moment: u128,
    parts: u128,
}

/// A unit takes `interval / parts` microseconds: the limit and the window, by the least numbers.
fn fraction(spec: Spec) -> (u128, u128) {
    let (mut a, mut b) = (u128::from(spec.window), u128::from(spec.limit));
    while b > 0 {
        (a, b) = (b, a % b);
    }
    (u128::from(spec.limit) / a, u128::from(spec.window) / a)
}

fn depth(spec: Spec) -> u128 {
    u128::from(spec.most()) * fraction(spec).1
}

fn small(number: u128) -> u64 {
    u64::try_from(number).expect("a time of our century")
}

impl Even {
    pub(crate) fn unused(spec: Spec) -> Self {
        Self {
            moment: 0,
            parts: fraction(spec).0,
        }
    }

    /// By another quota: the rest of a microsecond counts as so many of its parts.
    pub(crate) fn read_by(self, spec: Spec) -> Self {
        let (parts, _) = fraction(spec);
        if parts == self.parts {
            return self;
        }
        let rest = (self.moment % self.parts).min(parts - 1);
        Self {
            moment: self.moment / self.parts * parts + rest,
            parts,
        }
    }

    fn debt(self, spec: Spec, now: u64) -> u128 {
        let ahead = self.moment.saturating_sub(u128::from(now) * self.parts);
        ahead.min(depth(spec))
    }

    pub(crate) fn is_from_ahead(self, spec: Spec, now: u64) -> bool {
        let ahead = (self.moment / self.parts).saturating_sub(u128::from(now));
        ahead > depth(spec) / self.parts
    }

    pub(crate) fn available(self, spec: Spec, now: u64) -> u64 {
        small((depth(spec) - self.debt(spec, now)) / fraction(spec).1)
    }

    pub(crate) fn wait(self, spec: Spec, now: u64, units: u64) -> u64 {
        let wanted = self.debt(spec, now) + u128::from(units) * fraction(spec).1;
        small(wanted.saturating_sub(depth(spec)).div_ceil(self.parts))
    }

    pub(crate) fn charged(self, spec: Spec, now: u64, units: u64) -> Self {
        let debt = self.debt(spec, now) + u128::from(units) * fraction(spec).1;
        self.owing(now, debt.min(depth(spec)))
    }

    /// What was charged comes back in the order in which it was: of these units, what lies before `back`.
    pub(crate) fn refunded(self, spec: Spec, now: u64, units: u64, back: u64) -> Self {
        let units = u128::from(units.min(u64::from(spec.most())));
        let left = u128::from(back - now) * self.parts;
        let refund = (units * fraction(spec).1).min(left);
        self.owing(now, self.debt(spec, now).saturating_sub(refund))
    }

    pub(crate) fn back(self) -> u64 {
        small(self.moment.div_ceil(self.parts))
    }

    fn owing(self, now: u64, debt: u128) -> Self {
        let now = u128::from(now) * self.parts;
        Self {
            moment: if debt == 0 { 0 } else { now + debt },
            ..self
        }
    }
}
