//! The arithmetic of limits: pure functions over a state, the time and a cost.
//!
//! Times are whole microseconds since 1970, as the server counts them. Everything is exact in integers
//! under 2^53, because the server's copy of it (`shared/check.lua`) has no others.

use std::time::Duration;

pub(crate) use self::{
    gcra::Gcra,
    ring::Ring,
    slots::Slots,
    state::{Ban, Record, State},
    window::Window,
};

mod gcra;
mod ring;
mod slots;
mod state;
mod window;

/// One way of counting, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    Gcra(Gcra),
    Ring(Ring),
    Window(Window),
    Slots(Slots),
}

impl Rule {
    /// The most units that can be used at once; what costs more can never pass.
    pub(crate) fn most_at_once(&self) -> u64 {
        match self {
            Self::Gcra(gcra) => gcra.burst(),
            Self::Ring(ring) => ring.limit(),
            Self::Window(window) => window.limit(),
            Self::Slots(slots) => slots.limit(),
        }
    }

    /// Units that can be used now.
    pub(crate) fn available(&self, state: &State, now: u64) -> u64 {
        match (self, state) {
            (Self::Gcra(gcra), _) => gcra.available(state.gcra(), now),
            (Self::Ring(ring), _) => ring.available(state.ring(), now),
            (Self::Window(window), _) => window.available(state.window(), now),
            (Self::Slots(slots), _) => slots.available(state.slots()),
        }
    }

    /// The state after `units` more were used. More than are available is a debt, as deep as the limit.
    pub(crate) fn charge(&self, state: &State, now: u64, units: u64) -> State {
        match self {
            Self::Gcra(gcra) => State::Gcra(gcra.charge(state.gcra(), now, units)),
            Self::Ring(ring) => State::Ring(ring.charge(state.ring(), now, units)),
            Self::Window(window) => State::Window(window.charge(state.window(), now, units)),
            Self::Slots(slots) => State::Slots(slots.charge(state.slots(), units)),
        }
    }

    /// The state after `units` that were used were given back, as far as they have not come back by
    /// themselves, which is done at the moment [`back`](Self::back).
    pub(crate) fn refund(&self, state: &State, now: u64, units: u64, back: u64) -> State {
        if now >= back {
            return state.clone();
        }
        match self {
            Self::Gcra(gcra) => State::Gcra(gcra.refund(state.gcra(), now, units, back)),
            Self::Ring(ring) => State::Ring(ring.refund(state.ring(), now, units, back)),
            Self::Window(window) => State::Window(window.refund(state.window(), now, units, back)),
            Self::Slots(slots) => State::Slots(slots.refund(state.slots(), units)),
        }
    }

    /// Microseconds until `units` are available, if nothing else is used meanwhile; 0 if they are.
    pub(crate) fn wait(&self, state: &State, now: u64, units: u64) -> u64 {
        match self {
            Self::Gcra(gcra) => gcra.wait(state.gcra(), now, units),
            Self::Ring(ring) => ring.wait(state.ring(), now, units),
            Self::Window(window) => window.wait(state.window(), now, units),
            Self::Slots(slots) => slots.wait(state.slots(), units),
        }
    }

    /// Whether somebody who saw this state may conclude from it what is refused until then: nothing but
    /// time gives units back.
    pub(crate) fn only_time_gives_back(&self) -> bool {
        !matches!(self, Self::Slots(_))
    }

    /// Whether this can be a state by the clock that says `now`, and is not from another one.
    pub(crate) fn is_plausible(&self, state: &State, now: u64) -> bool {
        match self {
            Self::Gcra(gcra) => gcra.is_plausible(state.gcra(), now),
            Self::Ring(ring) => ring.is_plausible(state.ring(), now),
            Self::Window(window) => window.is_plausible(state.window(), now),
            Self::Slots(_) => true,
        }
    }

    /// When all that was used last, in this state, will have come back.
    pub(crate) fn back(&self, state: &State) -> u64 {
        match self {
            Self::Gcra(_) => {
                let arrival = state.gcra();
                arrival.micros + u64::from(arrival.rest > 0)
            }
            Self::Ring(ring) => (state.ring().index + ring::COUNTED as u64) * ring.part(),
            Self::Window(window) => (state.window().index + 1) * window.window(),
            Self::Slots(_) => u64::MAX,
        }
    }

    /// Microseconds after which nothing that is used now is used any more.
    pub(crate) fn longest_life(&self) -> u64 {
        match self {
            Self::Gcra(gcra) => gcra.longest_life(),
            Self::Ring(ring) => ring.part() * ring::COUNTED as u64,
            Self::Window(window) => window.window(),
            Self::Slots(_) => 0,
        }
    }
}

/// Whole microseconds of it.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
