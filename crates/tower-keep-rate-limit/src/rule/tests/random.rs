//! Numbers that follow from a seed.

use tower_keep_test_support::seed;

/// SplitMix64.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new() -> Self {
        Self(seed())
    }

    pub(super) fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.any() % bound
    }

    /// A number from 1 to `most`, every size of it as likely.
    pub(super) fn size(&mut self, most: u64) -> u64 {
        let bits = self.below(64 - u64::from(most.leading_zeros())) + 1;
        1 + self.any() % most.min(u64::MAX >> (64 - bits))
    }

    pub(super) fn pick(&mut self, from: &[u64]) -> u64 {
        let count = u64::try_from(from.len()).expect("few");
        from[usize::try_from(self.below(count)).expect("few")]
    }

    pub(super) fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }
}
