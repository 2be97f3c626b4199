//! How long things took: a log-linear histogram that all threads add to.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of durations in nanoseconds, in cells a thirty-second of an octave wide: whatever is read is
/// within 1.6 % of what was added, from a microsecond to 73 minutes. Below, within 16 ns.
#[derive(Debug)]
pub(crate) struct Histogram {
    cells: Box<[AtomicU64]>,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            cells: (0..CELLS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    #[inline]
    pub(crate) fn add(&self, nanos: u64) {
        self.cells[index(nanos)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.cells().map(|(_, count)| count).sum()
    }

    /// The durations below which these shares of all lie, in rising order; nothing where nothing was added.
    pub(crate) fn quantiles<const N: usize>(&self, shares: [f64; N]) -> Option<[u64; N]> {
        quantiles(self.cells().collect(), shares)
    }

    /// What is in coarse cells, an eighth of an octave wide: within 6.3 %. In rising order.
    pub(crate) fn coarse(&self) -> Vec<(u16, u64)> {
        let sum = |cells: &[AtomicU64]| cells.iter().map(|cell| cell.load(Ordering::Relaxed)).sum();
        let coarse = (0..).zip(self.cells.chunks(COARSE).map(sum));
        coarse.filter(|(_, count)| *count > 0).collect()
    }

    /// How many are at most as long as each of these bounds, in rising order.
    pub(crate) fn at_most<const N: usize>(&self, bounds: [u64; N]) -> [u64; N] {
        let mut cells = self.cells().peekable();
        let mut seen = 0;
        bounds.map(|bound| {
            while let Some((_, count)) = cells.next_if(|(value, _)| *value <= bound) {
                seen += count;
            }
            seen
        })
    }

    /// The middle of each cell that something is in, with how many.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (u64, u64)> {
        let cells = self.cells.iter().enumerate();
        cells
            .map(|(index, cell)| (middle(index), cell.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }
}

/// The durations below which these shares of all lie, of cells and their counts in rising order.
pub(crate) fn quantiles<const N: usize>(
    counts: Vec<(u64, u64)>,
    shares: [f64; N],
) -> Option<[u64; N]> {
    let total: u64 = counts.iter().map(|(_, count)| count).sum();
    if total == 0 {
        return None;
    }
    let mut cells = counts.into_iter();
    let (mut value, mut seen) = (0, 0);
    Some(shares.map(|share| {
        while seen < rank(share, total) {
            let Some((cell, count)) = cells.next() else {
                break;
            };
            (value, seen) = (cell, seen + count);
        }
        value
    }))
}

/// The middle of a coarse cell.
pub(crate) fn middle_of_coarse(cell: u16) -> u64 {
    let first = usize::from(cell) * COARSE;
    middle(first).midpoint(middle(first + COARSE - 1))
}

#[inline]
fn index(nanos: u64) -> usize {
    let nanos = nanos.min((1 << TOP) - 1);
    let octave = nanos.max(1).ilog2();
    let (group, shift) = match octave.checked_sub(FLOOR) {
        Some(above) => (above + 1, octave - GROUPING),
        None => (0, FLOOR - GROUPING),
    };
    let within = (nanos >> shift) & (WIDTH - 1);
    group as usize * WIDTH as usize + usize::try_from(within).expect("less than the width")
}

fn middle(index: usize) -> u64 {
    let (group, within) = (
        (index / WIDTH as usize) as u32,
        (index % WIDTH as usize) as u64,
    );
    match group.checked_sub(1) {
        Some(above) => {
            let shift = FLOOR + above - GROUPING;
            ((WIDTH + within) << shift) + (1 << shift) / 2
        }
        None => (within << (FLOOR - GROUPING)) + (1 << (FLOOR - GROUPING)) / 2,
    }
}

fn rank(share: f64, total: u64) -> u64 {
    ((share * total as f64).ceil() as u64).clamp(1, total)
}

/// Cells of an octave, as a power of two.
const GROUPING: u32 = 5;
const WIDTH: u64 = 1 << GROUPING;
/// The first octave that is divided: all below is one group of equal cells.
const FLOOR: u32 = 10;
const TOP: u32 = 42;
const CELLS: usize = ((TOP - FLOOR + 1) as usize) << GROUPING;

/// Cells of a coarse one.
const COARSE: usize = 4;
pub(crate) const COARSE_CELLS: u64 = (CELLS / COARSE) as u64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cells_are_in_order_and_each_holds_its_middle() {
        let mut last = 0;
        for cell in 0..CELLS {
            assert_eq!(index(middle(cell)), cell);
            assert!(middle(cell) > last);
            last = middle(cell);
        }
        assert_eq!(index(u64::MAX), CELLS - 1);
        assert_eq!(index(0), 0);
    }

    #[test]
    fn nothing_added_has_no_quantiles() {
        assert_eq!(Histogram::new().quantiles([0.5]), None);
    }

    proptest! {
        #[test]
        fn a_value_is_read_within_three_hundredths(nanos in 1_000..(1_u64 << TOP)) {
            let read = middle(index(nanos));
            prop_assert!(read.abs_diff(nanos) as f64 <= 0.016 * nanos as f64, "{nanos}: {read}");
        }

        #[test]
        fn quantiles_are_those_of_the_sorted_values(
            mut values in prop::collection::vec(1_000..10_000_000_000_u64, 1..300),
            share in 0.01..1.0_f64,
        ) {
            let histogram = Histogram::new();
            values.iter().for_each(|value| histogram.add(*value));
            values.sort_unstable();
            let truth = values[usize::try_from(rank(share, values.len() as u64)).expect("small") - 1];
            let [read, most] = histogram.quantiles([share, 1.0]).expect("not empty");
            prop_assert!(read.abs_diff(truth) as f64 <= 0.03 * truth as f64, "{truth}: {read}");
            prop_assert!(most >= read);
            prop_assert_eq!(histogram.count(), values.len() as u64);
            prop_assert_eq!(histogram.at_most([0, u64::MAX]), [0, values.len() as u64]);
        }
    }
}
