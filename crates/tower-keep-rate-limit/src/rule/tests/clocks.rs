//! States from another clock, and clocks that step back.

use tower_keep_test_support::{Random, seed};

use super::{
    super::{Rule, State, gcra::Arrival, ring::Recent, window::Used},
    case::{Case, Kind, TIMED, TIMES, in_many_states, moment},
};

/// A state that was written far ahead of this moment, with as much used as there can be.
fn ahead(random: &mut Random, case: Case, now: u64) -> State {
    let far = random.size((1 << 53) - 2 * now);
    let next = now + 2 * case.longest_wait_for_all();
    match case.rule() {
        Rule::Gcra(_) => State::Gcra(Arrival {
            micros: (next + far).min(1 << 53),
            rest: random.below(1 << 53),
        }),
        Rule::Ring(_) => State::Ring(Box::new(Recent {
            index: now / case.sixteenth() + far.max(17),
            units: std::array::from_fn(|_| u32::MAX - 1),
        })),
        _ => State::Window(Used {
            index: now / case.window + far.max(2),
            units: random.below(1 << 53).max(case.limit),
        }),
    }
}

#[test]
fn a_state_from_far_ahead_counts_as_all_used_and_no_more() {
    in_many_states(&TIMED, |random, case, now| {
        let state = ahead(random, case, now);
        let rule = case.rule();
        let wait = rule.wait(&state, now, 1);
        assert_eq!(rule.available(&state, now), 0, "{case:?}: {state:?}");
        assert!(wait <= case.longest_wait(), "{case:?}: {wait}, {state:?}");
    });
}

#[test]
fn a_state_from_far_ahead_heals_once_it_is_written_again() {
    in_many_states(&TIMED, |random, case, now| {
        let rule = case.rule();
        let state = rule.charge(&ahead(random, case, now), now, 0);
        let one = now + rule.wait(&state, now, 1);
        assert!(rule.available(&state, one) >= 1, "{case:?}: {state:?}");
        let all = now + rule.wait(&state, now, case.burst);
        assert_eq!(
            rule.available(&state, all),
            case.burst,
            "{case:?}: {state:?}"
        );
        assert!(all - now <= case.longest_wait_for_all(), "{case:?}");
    });
}

#[test]
fn an_earlier_clock_sees_no_more_than_a_later_one() {
    in_many_states(&TIMED, |random, case, now| {
        let (rule, state) = (case.rule(), case.used(random, now));
        let back = now - random.size(3 * case.window);
        let (before, after) = (rule.available(&state, back), rule.available(&state, now));
        assert!(before <= after, "{case:?}: {state:?} at {back}, {now}");
    });
}

#[test]
fn a_clock_that_steps_back_gives_no_more_than_was_there() {
    in_many_states(&TIMED, |random, case, now| {
        let (rule, state) = (case.rule(), case.used(random, now));
        let there = rule.available(&state, now);
        let units = random.below(there + 1);
        let state = rule.charge(&state, now, units);
        let back = now - random.size(case.window);
        let left = rule.available(&state, back);
        assert!(left <= there - units, "{case:?}: {state:?} at {now}");
        let state = rule.charge(&state, back, left);
        assert_eq!(rule.available(&state, back), 0, "{case:?}: {state:?}");
    });
}

#[test]
fn a_clock_that_goes_to_and_fro_gives_an_even_limit_no_more() {
    let mut random = Random::new(seed());
    for _ in 0..500 {
        let case = Case::random(Kind::Gcra, &mut random);
        let (rule, start) = (case.rule(), moment(&mut random));
        let (mut state, mut taken) = (State::default(), 0);
        for _ in 0..100 {
            let now = start + random.below(case.window + 1);
            let units = random.below(rule.available(&state, now) + 1);
            if units > 0 {
                state = rule.charge(&state, now, units);
            }
            taken += units;
        }
        assert!(taken <= case.burst + case.limit, "{case:?}: {taken}");
    }
}

#[test]
fn a_clock_that_trembles_over_a_boundary_gives_no_limit_more() {
    let mut random = Random::new(seed());
    for kind in TIMED {
        for _ in 0..500 {
            let case = Case::random(kind, &mut random);
            let (rule, start) = (case.rule(), moment(&mut random));
            let boundary = start / case.window * case.window;
            let (mut state, mut taken) = (State::default(), 0);
            for step in 0..100 {
                let now = boundary - step % 2;
                let units = rule.available(&state, now);
                state = rule.charge(&state, now, units);
                taken += units;
            }
            // Of a fixed window once before the boundary, and once after.
            let most = match kind {
                Kind::Fixed => 2 * case.limit,
                Kind::Gcra => case.burst + case.limit,
                _ => case.limit,
            };
            assert!(taken <= most, "{case:?}: {taken}");
        }
    }
}

#[test]
fn a_state_of_another_kind_counts_as_unused() {
    let mut random = Random::new(seed());
    for _ in 0..TIMES {
        let now = moment(&mut random);
        let state = Case::random(Kind::Fixed, &mut random).used(&mut random, now);
        for kind in [Kind::Gcra, Kind::Strict, Kind::Slots] {
            let case = Case::random(kind, &mut random);
            assert_eq!(case.rule().available(&state, now), case.burst, "{case:?}");
        }
    }
}
