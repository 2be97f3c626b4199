//! What somebody gets who takes all there is, for long.

use tower_keep_test_support::{Random, seed};

use super::{
    super::{Rule, State},
    case::{Case, Kind, moment},
};

/// Takes everything at each of these steps until the end; how much it was.
fn take_all(rule: &Rule, start: u64, end: u64, mut step: impl FnMut(&State, u64) -> u64) -> u64 {
    let (mut state, mut now, mut taken) = (State::default(), start, 0);
    loop {
        let available = rule.available(&state, now);
        state = rule.charge(&state, now, available);
        taken += available;
        if now == end {
            return taken;
        }
        let step = step(&state, now);
        assert!(step > 0, "all was taken, and there is more at once");
        now = end.min(now + step);
    }
}

const RATES: [u64; 10] = [
    1, 3, 7, 60, 997, 65_537, 700_000, 999_983, 999_999, 1_000_000,
];

#[test]
fn a_thousand_windows_give_exactly_the_limit_a_thousand_times() {
    let mut random = Random::new(seed());
    for limit in RATES {
        for burst in [limit.max(4), limit * 3 + 4, 5 + limit / 7] {
            for window in [1_000_000, 60_000_000] {
                let rule = Case::new(Kind::Gcra, limit, window, burst).rule();
                // Less than the time in which all would have come back.
                let longest = burst * window / limit / 2;
                let start = moment(&mut random);
                let end = start + 1000 * window;
                let taken = take_all(&rule, start, end, |_, _| {
                    1 + longest / 2 + random.below(longest / 2)
                });
                assert_eq!(
                    taken,
                    burst + 1000 * limit,
                    "{limit} in {window}, {burst} at once"
                );
            }
        }
    }
}

#[test]
fn one_by_one_a_second_gives_exactly_the_limit() {
    for limit in RATES {
        let case = Case::new(Kind::Gcra, limit, 1_000_000, 2);
        let rule = case.rule();
        let start = moment(&mut Random::new(seed()));
        let taken = take_all(&rule, start, start + 1_000_000, |state, now| {
            rule.wait(state, now, 1)
        });
        assert_eq!(taken, 2 + limit, "{limit} a second");
    }
}

#[test]
fn rates_that_end_in_an_odd_microsecond_do_not_drift_in_a_year() {
    for limit in [7, 997, 700_000, 999_983] {
        let rule = Case::new(Kind::Gcra, limit, 1_000_000, 100 * limit).rule();
        let start = moment(&mut Random::new(seed()));
        let year = 366 * 24 * 3600;
        let taken = take_all(&rule, start, start + year * 1_000_000, |_, _| 98_765_432);
        assert_eq!(taken, (100 + year) * limit, "{limit} a second");
    }
}

#[test]
fn a_strict_limit_gives_sixteen_of_seventeen_parts() {
    let mut random = Random::new(seed());
    for limit in [1, 7, 16, 100, 999_983] {
        for window in [1600, 1_000_000, 3_600_000_000] {
            let rule = Case::new(Kind::Strict, limit, window, limit).rule();
            let start = moment(&mut random);
            let taken = take_all(&rule, start, start + 1700 * window, |state, now| {
                rule.wait(state, now, 1)
            });
            assert!(taken >= 1600 * limit, "{limit} in {window}: {taken}");
            assert!(taken <= 1601 * limit, "{limit} in {window}: {taken}");
        }
    }
}

#[test]
fn a_strict_limit_gives_as_much_to_those_who_ask_each_microsecond() {
    let mut random = Random::new(seed());
    for limit in [1, 7, 100] {
        let case = Case::new(Kind::Strict, limit, 1600, limit);
        let rule = case.rule();
        let (mut state, mut taken) = (State::default(), 0);
        let start = moment(&mut random);
        for now in start..start + 170 * case.window {
            if rule.available(&state, now) > 0 {
                state = rule.charge(&state, now, 1);
                taken += 1;
            }
        }
        assert!(taken >= 160 * limit, "{limit}: {taken}");
    }
}

#[test]
fn a_sixteenth_of_a_strict_window_is_rounded_up_to_a_microsecond() {
    let mut random = Random::new(seed());
    for _ in 0..200 {
        let case = Case::random(Kind::Strict, &mut random);
        let round = 17 * case.sixteenth();
        let rule = case.rule();
        let start = moment(&mut random);
        let taken = take_all(&rule, start, start + 20 * round, |state, now| {
            rule.wait(state, now, 1)
        });
        assert!(taken >= 20 * case.limit, "{case:?}: {taken}");
    }
}

#[test]
fn a_fixed_window_gives_its_limit_each_time() {
    let mut random = Random::new(seed());
    for _ in 0..200 {
        let case = Case::random(Kind::Fixed, &mut random);
        let rule = case.rule();
        let start = moment(&mut random);
        let taken = take_all(&rule, start, start + 20 * case.window, |state, now| {
            rule.wait(state, now, 1)
        });
        assert_eq!(taken, 21 * case.limit, "{case:?}");
    }
}
