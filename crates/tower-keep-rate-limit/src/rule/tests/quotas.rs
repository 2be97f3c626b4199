//! Which quotas are nonsense, and the numbers of those that are none.

use std::time::Duration;

use tower_keep_test_support::{Random, seed};

use super::{
    super::Rule,
    case::{Case, KINDS, Kind, YEAR},
};
use crate::quota::Quota;

/// The largest number below which all whole numbers are exact on the server.
const EXACT: u128 = 1 << 53;

fn says(quota: Quota, part: &str) {
    let error = quota.rule().expect_err("nonsense");
    assert!(error.to_string().contains(part), "{quota:?}: {error}");
}

fn kinds(limit: u32, window: Duration) -> [Quota; 3] {
    let quota = Quota::new(limit, window);
    [quota, quota.strict(), quota.fixed_window()]
}

#[test]
fn a_limit_of_nothing_is_refused() {
    says(Quota::concurrent(0), "a limit of 0");
    for quota in kinds(0, Duration::from_secs(1)) {
        says(quota, "a limit of 0");
    }
}

#[test]
fn a_window_has_bounds() {
    for quota in kinds(5, Duration::from_micros(999)) {
        says(quota, "at least a millisecond");
    }
    for quota in kinds(5, Duration::ZERO) {
        says(quota, "at least a millisecond");
    }
    for quota in kinds(5, Duration::from_micros(YEAR + 1)) {
        says(quota, "at most 366 days");
    }
    for quota in kinds(5, Duration::MAX) {
        says(quota, "at most 366 days");
    }
    for window in [Duration::from_millis(1), Duration::from_micros(YEAR)] {
        for quota in kinds(5, window) {
            quota.rule().expect("just within");
        }
    }
}

#[test]
fn a_burst_of_nothing_is_refused() {
    says(Quota::concurrent(5).burst(0), "a burst of 0");
    for quota in kinds(5, Duration::from_secs(1)) {
        says(quota.burst(0), "a burst of 0");
    }
}

#[test]
fn a_burst_is_only_for_what_forgets_evenly() {
    let quota = Quota::per_second(5).burst(5);
    says(quota.strict(), "not with strict");
    says(quota.fixed_window(), "fixed_window");
    says(Quota::concurrent(5).burst(5), "concurrent");
}

#[test]
fn a_burst_comes_back_within_a_leap_year() {
    says(Quota::per_day(1).burst(367), "more than 366 days");
    says(Quota::per_second(1).burst(u32::MAX), "more than 366 days");
    Quota::per_day(1).burst(366).rule().expect("just within");
    Quota::per_day(7)
        .burst(7 * 366)
        .rule()
        .expect("just within");
}

#[test]
fn everything_else_is_built() {
    let mut random = Random::new(seed());
    for kind in KINDS {
        for _ in 0..20_000 {
            let limit = random.size(u64::from(u32::MAX));
            let window = 1000 + random.below(YEAR - 999);
            Case::new(kind, limit, window, random.size(limit)).rule();
        }
    }
}

/// The largest numbers on the way: all is used, and all of it is used once more.
fn check_numbers(case: Case) {
    let Rule::Gcra(gcra) = case.rule() else {
        unreachable!("an even limit")
    };
    let (parts, interval) = (u128::from(gcra.parts()), u128::from(gcra.interval()));
    let depth = u128::from(case.burst) * interval;
    assert!(parts > 0 && interval > 0, "{case:?}");
    assert!(2 * depth <= EXACT, "{case:?}: {depth}");
    assert!(depth + parts < EXACT, "{case:?}: {parts}");
    assert!(
        depth / parts <= u128::from(YEAR) + u128::from(YEAR >> 18),
        "{case:?}"
    );
}

/// How far the rule's interval may lie above the quota's: one part in 2^50 for each unit of the burst.
fn check_interval(case: Case) {
    let (parts, interval) = case.fraction();
    let is = interval * u128::from(case.limit);
    let exact = parts * u128::from(case.window);
    assert!(is >= exact, "{case:?}: too short an interval");
    let above = (is - exact) << 50;
    assert!(
        above <= exact * u128::from(case.burst),
        "{case:?}: {is} for {exact}"
    );
}

#[test]
fn no_number_is_larger_than_the_server_holds() {
    let mut random = Random::new(seed());
    for _ in 0..50_000 {
        check_numbers(Case::random(Kind::Gcra, &mut random));
    }
    let most = u64::from(u32::MAX);
    for limit in [1, 2, most - 4, most - 1, most] {
        for window in [1000, 1001, 1_000_000, YEAR - 1, YEAR] {
            for burst in [1, limit, limit.saturating_mul(YEAR / window).min(most)] {
                check_numbers(Case::new(Kind::Gcra, limit, window, burst));
            }
        }
    }
}

#[test]
fn an_interval_is_never_too_short_and_hardly_too_long() {
    let mut random = Random::new(seed());
    for _ in 0..50_000 {
        check_interval(Case::random(Kind::Gcra, &mut random));
    }
}

#[test]
fn an_interval_is_exact_wherever_its_numbers_are_small() {
    let mut random = Random::new(seed());
    for _ in 0..20_000 {
        let limit = random.size(1_000_000);
        let window = random.pick(&[1_000, 1_000_000, 60_000_000, 3_600_000_000]);
        let case = Case::new(Kind::Gcra, limit, window, limit);
        assert!(case.is_exact(), "{case:?}");
    }
}
