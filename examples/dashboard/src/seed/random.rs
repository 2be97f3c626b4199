//! A small random generator with a fixed algorithm.

/// SplitMix64 (Steele, Lea and Flood, 2014).
///
/// Written out here because the data and the model's weights must be the same
/// on every machine and with every version of every dependency.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// A stream of its own for each purpose, so that one more draw in one place
    /// does not change all others.
    pub(crate) fn new(purpose: &str) -> Self {
        let state = purpose.bytes().fold(SEED, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { state }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Roughly normal with mean 0 and deviation 1, within ±6: the sum of twelve
    /// uniform numbers needs no logarithm, whose last bit differs by platform.
    pub(crate) fn normal(&mut self) -> f64 {
        let quarters = |bits: u64| {
            (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48)
        };
        let sum: u64 = (0..3).map(|_| quarters(self.next())).sum();
        sum as f64 / 65_535.0 - 6.0
    }

    /// In `from..to`; `from` when the range is empty.
    pub(crate) fn range(&mut self, from: i64, to: i64) -> i64 {
        from + (self.unit() * (to - from).max(0) as f64) as i64
    }

    /// In `0..length`; 0 when there is nothing to choose from.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        (self.unit() * length as f64) as usize
    }

    pub(crate) fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items
            .get(self.index(items.len()))
            .copied()
            .unwrap_or_default()
    }

    /// An item, with the probability of its weight.
    pub(crate) fn weighted<'a>(&mut self, items: &[(&'a str, u32)]) -> &'a str {
        let total: u32 = items.iter().map(|(_, weight)| weight).sum();
        let mut left = self.unit() * f64::from(total);
        for (item, weight) in items {
            left -= f64::from(*weight);
            if left < 0.0 {
                return item;
            }
        }
        items.last().map_or("", |(item, _)| item)
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_never_changes() {
        // The first outputs of SplitMix64 for the state 0, as published.
        let mut random = Random { state: 0 };
        assert_eq!(random.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let mut random = Random::new("ranges");
        for _ in 0..10_000 {
            assert!((0.0..1.0).contains(&random.unit()));
            assert!((3..9).contains(&random.range(3, 9)));
            assert!(random.index(5) < 5);
        }
        assert_eq!(random.range(4, 4), 4);
    }
}
