//! What was used, counted in one of four ways. What was counted in another way counts as nothing.

use super::{even::Even, list::List};
use crate::spec::{Kind, Spec};

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Used {
    #[default]
    Nothing,
    Even(Even),
    List(Kind, List),
    Slots(u64),
}

impl Used {
    fn even(&self, spec: Spec) -> Even {
        match self {
            Self::Even(even) => even.read_by(spec),
            _ => Even::unused(spec),
        }
    }

    fn list(&self, spec: Spec) -> List {
        match self {
            Self::List(kind, list) if *kind == spec.kind => list.clone(),
            _ => List::default(),
        }
    }

    fn slots(&self) -> u64 {
        match self {
            Self::Slots(taken) => *taken,
            _ => 0,
        }
    }

    pub(crate) fn available(&self, spec: Spec, now: u64) -> u64 {
        let limit = u64::from(spec.limit);
        match spec.kind {
            Kind::Even => self.even(spec).available(spec, now),
            Kind::Slots => limit.saturating_sub(self.slots()),
            _ => limit.saturating_sub(self.list(spec).at(spec, now).sum()),
        }
    }

    /// Microseconds until so many (or all there can be, if they are more) are there.
    pub(crate) fn wait(&self, spec: Spec, now: u64, units: u64) -> u64 {
        let units = units.min(u64::from(spec.most()));
        match spec.kind {
            Kind::Even => self.even(spec).wait(spec, now, units),
            Kind::Slots if self.slots() + units <= u64::from(spec.limit) => 0,
            // Nobody knows; a second is what is said.
            Kind::Slots => 1_000_000,
            _ => self.list(spec).at(spec, now).wait(spec, now, units),
        }
    }

    pub(crate) fn charge(&mut self, spec: Spec, now: u64, units: u64) {
        *self = match spec.kind {
            Kind::Even => Self::Even(self.even(spec).charged(spec, now, units)),
            Kind::Slots => Self::Slots(self.slots() + units),
            kind => Self::List(kind, self.list(spec).at(spec, now).charged(spec, units)),
        };
    }

    /// Gives units back that will have come back by themselves at `back`.
    pub(crate) fn refund(&mut self, spec: Spec, now: u64, units: u64, back: u64) {
        if now >= back {
            return;
        }
        *self = match spec.kind {
            Kind::Even => Self::Even(self.even(spec).refunded(spec, now, units, back)),
            Kind::Slots => unreachable!("slots have no outcome"),
            kind => {
                let list = self.list(spec).at(spec, now);
                Self::List(kind, list.refunded(spec, units, back))
            }
        };
    }

    pub(crate) fn release(&mut self, units: u64) {
        *self = Self::Slots(self.slots().saturating_sub(units));
    }

    /// When what was used last will have come back.
    pub(crate) fn back(&self, spec: Spec) -> u64 {
        match spec.kind {
            Kind::Even => self.even(spec).back(),
            Kind::Slots => u64::MAX,
            _ => self.list(spec).back(spec),
        }
    }

    /// Corrects what can only come from another clock (or from a quota that forgot more slowly).
    pub(crate) fn heal(&mut self, spec: Spec, now: u64) {
        match self {
            Self::Even(_) if spec.kind == Kind::Even => {
                let even = self.even(spec);
                if even.is_from_ahead(spec, now) {
                    *self = Self::Even(even.charged(spec, now, 0));
                }
            }
            Self::List(kind, list) if *kind == spec.kind && list.is_from_ahead(spec, now) => {
                *list = list.clone().at(spec, now);
            }
            _ => {}
        }
    }
}
