//! Latencies, as coarse as they are told.

use crate::{
    figures::{Buckets, Latency, seconds},
    histogram::{Histogram, middle_of_coarse, quantiles},
};

/// Counts of durations by [coarse cells](Histogram::coarse): what is read is within 6.3 %.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Coarse {
    /// In rising order.
    pub(super) cells: Vec<(u16, u64)>,
}

impl Coarse {
    pub(super) fn of(histogram: &Histogram) -> Self {
        Self {
            cells: histogram.coarse(),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        let mut place = 0;
        for (cell, count) in &other.cells {
            while self.cells.get(place).is_some_and(|(at, _)| at < cell) {
                place += 1;
            }
            match self.cells.get_mut(place) {
                Some((at, sum)) if at == cell => *sum = sum.saturating_add(*count).min(MOST),
                _ => self.cells.insert(place, (*cell, (*count).min(MOST))),
            }
        }
    }

    pub(super) fn read(&self) -> Option<Latency> {
        let cells = self.cells.iter();
        let cells: Vec<_> = cells
            .map(|(cell, count)| (middle_of_coarse(*cell), *count))
            .collect();
        let count = cells.iter().map(|(_, count)| count).sum();
        let shares = [0.5, 0.9, 0.99, 0.999, 1.0];
        let buckets = Buckets::of(cells.iter().copied());
        let [p50, p90, p99, p999, max] = quantiles(cells, shares)?.map(seconds);
        Some(Latency {
            count,
            p50,
            p90,
            p99,
            p999,
            max,
            buckets,
        })
    }
}

/// More than any process counts; all cells together do not overflow.
const MOST: u64 = 1 << 54;
