//! What is said of a policy, in whole seconds.

use std::time::Duration;

use crate::{
    quota::Quota,
    status::{PolicyStatus, RateLimitStatus, Refusal, Standing},
};

/// A quota over whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    pub(super) units: u64,
    pub(super) seconds: u64,
}

impl Allowance {
    /// The quota itself where its window is whole seconds. Otherwise what it gives in the next whole second
    /// up, without the fraction of a unit that may come to: a client that keeps to it keeps to the quota.
    pub(super) fn of(quota: Quota) -> Self {
        let window = quota.window();
        let seconds = seconds_up(window);
        let limit = u64::from(quota.limit());
        let units = if window.subsec_nanos() == 0 {
            limit
        } else {
            let in_them = Duration::from_secs(seconds).as_nanos() * u128::from(limit);
            u64::try_from(in_them / window.as_nanos()).unwrap_or(u64::MAX)
        };
        Self { units, seconds }
    }

    /// Over how many seconds so many units are no faster than this.
    fn spread(self, units: u64) -> u64 {
        let unit_seconds = units.saturating_mul(self.seconds);
        unit_seconds.div_ceil(self.units.max(1))
    }
}

/// Whether anybody knows what is left. Of what can never pass, and of whoever does not say who he is, no store
/// was asked.
pub(super) fn is_known(status: &RateLimitStatus) -> bool {
    !matches!(
        status.refusal,
        Some(Refusal::TooCostly | Refusal::Unidentified)
    )
}

/// Seconds for which what is left of a policy has to do.
///
/// To a client that is told to wait it is that wait; where nothing is left, it is until something is. To any
/// other it is until all is there again, and longer where the same client, if it spread what is left over that
/// time, would be faster than the policy.
pub(super) fn horizon(policy: &PolicyStatus) -> u64 {
    if policy.standing == Standing::Refused || policy.remaining == 0 {
        return seconds_up(policy.wait);
    }
    let allowance = policy.bound.told.allowance;
    let spread = allowance.spread(u64::from(policy.remaining));
    spread.max(seconds_up(policy.reset)).min(MOST)
}

/// Whole seconds, never less than the time itself, nor none.
pub(super) fn seconds_up(time: Duration) -> u64 {
    let rest = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(rest).clamp(1, MOST)
}

/// The largest number that a structured field can hold.
const MOST: u64 = 999_999_999_999_999;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::answer::samples;

    fn allowed(limit: u32, window: Duration) -> (u64, u64) {
        let allowance = Allowance::of(Quota::new(limit, window));
        (allowance.units, allowance.seconds)
    }

    #[test]
    fn windows_of_whole_seconds_are_told_as_they_are() {
        assert_eq!(allowed(100, Duration::from_secs(60)), (100, 60));
        assert_eq!(
            allowed(u32::MAX, Duration::from_secs(1)),
            (u32::MAX.into(), 1)
        );
    }

    #[test]
    fn other_windows_are_told_over_more_seconds() {
        assert_eq!(allowed(10, Duration::from_millis(500)), (20, 1));
        assert_eq!(allowed(10, Duration::from_millis(300)), (33, 1));
        assert_eq!(allowed(1, Duration::from_millis(1500)), (1, 2));
        assert_eq!(
            allowed(u32::MAX, Duration::from_millis(1)),
            (4_294_967_295_000, 1)
        );
    }

    #[test]
    fn the_longest_of_times_fits_a_field() {
        assert_eq!(seconds_up(Duration::MAX), MOST);
        assert_eq!(seconds_up(Duration::ZERO), 1);
    }

    #[test]
    fn a_refusal_says_the_same_as_retry_after() {
        let policy = samples::policy("a", Quota::per_minute(100), 0);
        let mut policy = samples::refusing(policy, Duration::from_millis(600));
        policy.reset = Duration::from_secs(60);
        assert_eq!(horizon(&policy), 1);
        // Less is left than was asked for.
        policy.remaining = 3;
        assert_eq!(horizon(&policy), 1);
    }

    #[test]
    fn without_anything_left_it_is_until_something_is() {
        let mut policy = samples::policy("a", Quota::per_minute(3), 0);
        policy.reset = Duration::from_secs(60);
        for (wait, told) in [(0, 1), (999, 1), (20_000, 20), (36_001, 37)] {
            policy.wait = Duration::from_millis(wait);
            assert_eq!(horizon(&policy), told);
        }
    }

    const LEAP_YEAR: u64 = 366 * 24 * 3_600_000;

    proptest! {
        #[test]
        fn what_is_left_is_never_faster_than_the_policy(
            limit in prop_oneof![1..=20_u32, 1..=u32::MAX],
            millis in prop_oneof![1..=5000_u64, 1..=LEAP_YEAR],
            remaining in prop_oneof![1..=40_u32, 1..=u32::MAX],
            reset in 0..=LEAP_YEAR,
        ) {
            // No quota saves up more: see `Quota::rule`.
            let most = u128::from(limit) * u128::from(LEAP_YEAR) / u128::from(millis);
            let remaining = u32::try_from(most).unwrap_or(u32::MAX).min(remaining);
            let quota = Quota::new(limit, Duration::from_millis(millis));
            let mut policy = samples::policy("a", quota, remaining);
            policy.reset = Duration::from_millis(reset);
            let Allowance { units, seconds } = Allowance::of(quota);
            let t = horizon(&policy);
            let [q, w, r, t] = [units, seconds, u64::from(remaining), t].map(u128::from);
            // Each a comparison of two fractions, multiplied out.
            prop_assert!(r * w <= q * t);
            prop_assert!(q * u128::from(millis) <= u128::from(limit) * w * 1000);
            prop_assert!(t * 1000 >= u128::from(reset) && t >= 1);
        }

        #[test]
        fn seconds_are_never_less_than_the_time(secs in 0..1_u64 << 40, nanos in 0..1_000_000_000_u32) {
            let time = Duration::new(secs, nanos);
            let told = Duration::from_secs(seconds_up(time));
            prop_assert!(told >= time && told >= Duration::from_secs(1));
            prop_assert!(told < time + Duration::from_secs(1) || time.is_zero());
        }
    }
}
