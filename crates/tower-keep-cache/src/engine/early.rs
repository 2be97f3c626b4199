//! Early refresh: XFetch (Vattani, Chierichetti, Lowenstein: "Optimal Probabilistic Cache Stampede
//! Prevention", VLDB 2015).
//!
//! Who finds an entry fresh draws a lot, and refreshes it if *now − cost · β · ln(rand) ≥ its end*. So a busy
//! entry is refreshed by one request shortly before it would be missed by all; one that took long to fetch is
//! refreshed earlier, one that is hardly asked for is not refreshed in vain; and nobody has to agree on
//! anything. An entry carries *cost · β*; the rest is decided here, of instants and a number.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tower_keep_store::Timestamp;

use super::entry::Meta;

/// How long before its end an entry that took `cost` to fetch is refreshed, by one request, in the mean.
pub(crate) fn mean_lead(cost: Duration, beta: f64) -> Duration {
    let lead = Duration::try_from_secs_f64(cost.as_secs_f64() * beta);
    lead.unwrap_or(LONGEST_LEAD).min(LONGEST_LEAD)
}

/// Whether a request that finds an entry fresh refreshes it: a lot is drawn only where that can matter.
pub(crate) fn is_due(meta: &Meta, now: Timestamp, lots: &Lots) -> bool {
    if meta.early.is_zero() {
        return false;
    }
    let left = meta.fresh_until.since(now);
    // An origin that takes longer than its answers live is asked at most twice as often for it.
    let is_young = left > now.since(meta.received);
    !is_young && left <= meta.early * MOST_LEADS && wins(meta.early, left, lots.draw())
}

/// XFetch's inequality. The lot is uniform in (0, 1].
fn wins(mean_lead: Duration, left: Duration, lot: f64) -> bool {
    mean_lead.mul_f64(-lot.ln()) >= left
}

/// Random numbers that may be foreseen.
#[derive(Debug)]
pub(crate) struct Lots(AtomicU64);

impl Lots {
    pub(crate) fn new() -> Self {
        Self::seeded(RandomState::new().hash_one(0))
    }

    fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Uniform in (0, 1], by SplitMix64.
    fn draw(&self) -> f64 {
        let mut lot = self.0.fetch_add(WEYL, Ordering::Relaxed);
        lot = (lot ^ (lot >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        lot = (lot ^ (lot >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        lot ^= lot >> 31;
        ((lot >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

const WEYL: u64 = 0x9E37_79B9_7F4A_7C15;

/// No lot is less than 2⁻⁵³, and −ln of that is less than 37.
const MOST_LEADS: u32 = 37;

/// What 32 bits hold in microseconds.
const LONGEST_LEAD: Duration = Duration::from_micros(u32::MAX as u64);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::envelope::tests::entry, *};

    fn meta(early: Duration) -> Meta {
        Meta {
            received: Timestamp::from_secs(1000),
            fresh_until: Timestamp::from_secs(1100),
            early,
            ..entry(b"k", ()).meta
        }
    }

    #[test]
    fn lots_are_drawn_only_near_the_end_and_only_where_wanted() {
        let lots = Lots::seeded(1);
        let drawn = |early, at| {
            let before = lots.0.load(Ordering::Relaxed);
            is_due(&meta(early), Timestamp::from_secs(at), &lots);
            lots.0.load(Ordering::Relaxed) != before
        };
        let second = Duration::from_secs(1);
        assert!(!drawn(Duration::ZERO, 1099));
        assert!(!drawn(second, 1062));
        assert!(drawn(second, 1063));
        assert!(!drawn(LONGEST_LEAD, 1049), "it is young");
        assert!(drawn(LONGEST_LEAD, 1050));
        let end = Timestamp::from_secs(1100);
        assert!(is_due(&meta(second), end, &lots), "at its end for certain");
    }

    #[test]
    fn any_cost_and_beta_make_a_lead() {
        assert_eq!(mean_lead(Duration::from_secs(2), 0.0), Duration::ZERO);
        let lead = mean_lead(Duration::from_secs(2), 1.5);
        assert_eq!(lead, Duration::from_secs(3));
        assert_eq!(mean_lead(Duration::MAX, f64::MAX), LONGEST_LEAD);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(2015),
            ..ProptestConfig::with_cases(50)
        })]

        /// The paper's: of requests that come when `left` is left, exp(−left / (cost · β)) refresh.
        #[test]
        fn as_many_refresh_as_the_formula_says(
            seed in any::<u64>(),
            cost in 1_u64..5_000_000,
            beta in 0.1_f64..4.0,
            leads_left in 0.0_f64..4.0,
        ) {
            let lots = Lots::seeded(seed);
            let lead = mean_lead(Duration::from_micros(cost), beta);
            let left = lead.mul_f64(leads_left);
            let due = (0..TRIALS).filter(|_| wins(lead, left, lots.draw())).count();
            let expected = (-leads_left).exp();
            let deviation = (expected * (1.0 - expected) / TRIALS as f64).sqrt();
            let rate = due as f64 / TRIALS as f64;
            prop_assert!((rate - expected).abs() <= 5.0 * deviation + 1e-3, "{rate}, not {expected}");
        }
    }

    const TRIALS: usize = 20_000;

    /// Requests at a rate, each of which draws: the entry is refreshed before its end, the earlier the busier.
    #[test]
    fn the_busier_an_entry_the_earlier_it_is_refreshed() {
        let lots = Lots::seeded(7);
        let meta = meta(Duration::from_secs(1));
        let mean_left = |per_second: u64| {
            let rounds = 200;
            let total: f64 = (0..rounds)
                .map(|_| {
                    let asked = (0..100 * per_second)
                        .map(|i| meta.received + Duration::from_micros(i * 1_000_000 / per_second));
                    let first = asked.into_iter().find(|now| is_due(&meta, *now, &lots));
                    let left = first.map(|now| meta.fresh_until.since(now));
                    left.unwrap_or_default().as_secs_f64()
                })
                .sum();
            total / rounds as f64
        };
        let [seldom, often] = [mean_left(1), mean_left(100)];
        // About ln(rate · lead) leads, and Euler's constant.
        assert!((0.3..1.5).contains(&seldom), "{seldom}");
        assert!((4.5..5.9).contains(&often), "{often}");
    }
}
