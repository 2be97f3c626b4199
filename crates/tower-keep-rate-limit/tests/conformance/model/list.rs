//! Everything that was used, each with the number of the piece of time in which it was.

use crate::spec::{Kind, Spec};

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct List {
    /// The latest piece that was seen to have begun when something changed.
    newest: u64,
    used: Vec<(u64, u64)>,
}

/// Pieces in which something counts.
fn counted(spec: Spec) -> u64 {
    match spec.kind {
        Kind::Strict => 17,
        _ => 1,
    }
}

impl List {
    pub(crate) fn is_from_ahead(&self, spec: Spec, now: u64) -> bool {
        // More than a window.
        self.newest > now / spec.piece() + (counted(spec) - 1).max(1)
    }

    /// What counts at a moment. If all of it is from another clock, the newest is of now.
    pub(crate) fn at(mut self, spec: Spec, now: u64) -> Self {
        let index = now / spec.piece();
        if self.is_from_ahead(spec, now) {
            let shift = self.newest - index;
            for (piece, _) in &mut self.used {
                *piece = piece.saturating_sub(shift);
            }
            self.newest = index;
        }
        self.newest = self.newest.max(index);
        self.used
            .retain(|(piece, units)| *units > 0 && piece + counted(spec) > self.newest);
        self
    }

    pub(crate) fn sum(&self) -> u64 {
        self.used.iter().map(|(_, units)| units).sum()
    }

    pub(crate) fn wait(&self, spec: Spec, now: u64, units: u64) -> u64 {
        let fits = |later: u64| {
            let counts = |used: &&(u64, u64)| used.0 + counted(spec) > self.newest + later;
            let used: u64 = self.used.iter().filter(counts).map(|used| used.1).sum();
            used + units <= u64::from(spec.limit)
        };
        match (0..=counted(spec)).find(|later| fits(*later)) {
            Some(0) => 0,
            Some(later) => (self.newest + later) * spec.piece() - now,
            None => unreachable!("all are forgotten in the end"),
        }
    }

    pub(crate) fn charged(mut self, spec: Spec, units: u64) -> Self {
        let room = u64::from(spec.limit).saturating_sub(self.sum());
        self.used.push((self.newest, units.min(room)));
        self
    }

    /// From the piece on in which they were used.
    pub(crate) fn refunded(mut self, spec: Spec, units: u64, back: u64) -> Self {
        let used_in = (back / spec.piece()).saturating_sub(counted(spec));
        let mut left = units;
        let earlier = |used: &&mut (u64, u64)| used.0 <= used_in;
        for (_, units) in self.used.iter_mut().rev().filter(earlier) {
            let given = left.min(*units);
            *units -= given;
            left -= given;
        }
        self
    }

    pub(crate) fn back(&self, spec: Spec) -> u64 {
        (self.newest + counted(spec)) * spec.piece()
    }
}
