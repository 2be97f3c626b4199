//! How far a rate that was counted can be from the true one.

/// The interval of Wilson's score (1927), in which the true rate lies 95 times in 100; none for no trials.
pub(crate) fn interval(successes: u64, trials: u64) -> Option<(f64, f64)> {
    if trials == 0 {
        return None;
    }
    let trials = trials as f64;
    let rate = (successes as f64 / trials).min(1.0);
    let square = Z * Z / trials;
    let centre = rate + square / 2.0;
    let reach = Z * (rate * (1.0 - rate) / trials + square / (4.0 * trials)).sqrt();
    let low = ((centre - reach) / (1.0 + square)).max(0.0);
    let high = ((centre + reach) / (1.0 + square)).min(1.0);
    Some((low, high))
}

/// The quantile of the normal distribution for 95 %.
const Z: f64 = 1.959_963_984_540_054;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_intervals_come_out() {
        // Computed by hand from the formula, and in every table.
        let (low, high) = interval(8, 10).expect("trials");
        assert!((low - 0.4902).abs() < 1e-4 && (high - 0.9433).abs() < 1e-4);
        assert_eq!(interval(0, 0), None);
        let (low, high) = interval(0, 10).expect("trials");
        assert!(low == 0.0 && (high - 0.2775).abs() < 1e-4);
    }

    proptest! {
        #[test]
        fn the_rate_lies_in_its_interval(trials in 1..1_000_000_u64, share in 0.0..=1.0_f64) {
            let successes = (share * trials as f64) as u64;
            let rate = successes as f64 / trials as f64;
            let (low, high) = interval(successes, trials).expect("trials");
            prop_assert!(0.0 <= low && low <= rate + 1e-12 && rate - 1e-12 <= high && high <= 1.0);
        }
    }
}
