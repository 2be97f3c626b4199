//! Latencies, as coarse as they are told.

use std::collections::BTreeMap;

use crate::{
    figures::{Latency, seconds},
    histogram::{Histogram, middle_of_coarse, quantiles},
};

/// Counts of durations by [coarse cells](Histogram::coarse): what is read is within 6.3 %.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Coarse {
    pub(super) cells: BTreeMap<u16, u64>,
}

impl Coarse {
    pub(super) fn of(histogram: &Histogram) -> Self {
        Self {
            cells: histogram.coarse(),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (cell, count) in &other.cells {
            let sum = self.cells.entry(*cell).or_default();
            *sum = sum.saturating_add(*count).min(MOST);
        }
    }

    pub(super) fn read(&self) -> Option<Latency> {
        let cells = self.cells.iter();
        let cells: Vec<_> = cells
            .map(|(cell, count)| (middle_of_coarse(*cell), *count))
            .collect();
        let count = cells.iter().map(|(_, count)| count).sum();
        let shares = [0.5, 0.9, 0.99, 0.999, 1.0];
        let [p50, p90, p99, p999, max] = quantiles(cells, shares)?.map(seconds);
        Some(Latency {
            count,
            p50,
            p90,
            p99,
            p999,
            max,
        })
    }
}

/// More than any process counts; all cells together do not overflow.
const MOST: u64 = 1 << 54;
