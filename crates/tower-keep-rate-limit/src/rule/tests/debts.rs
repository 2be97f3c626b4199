//! More than there is, and what is given back.

use super::case::{KINDS, Kind, TIMED, in_many_states};

#[test]
fn a_debt_is_no_deeper_than_the_limit() {
    in_many_states(&TIMED, |random, case, now| {
        let (rule, state) = (case.rule(), case.used(random, now));
        let available = rule.available(&state, now);
        let units = available + random.size(u64::MAX - available);
        let charged = rule.charge(&state, now, units);
        let wait = rule.wait(&charged, now, 1);
        assert_eq!(rule.available(&charged, now), 0, "{case:?} at {now}");
        assert!(wait <= case.longest_wait(), "{case:?} at {now}: {wait}");
    });
}

#[test]
fn nobody_waits_longer_than_a_window() {
    in_many_states(&TIMED, |_, case, _| {
        let window = match case.kind {
            Kind::Strict => 16 * case.sixteenth() + case.sixteenth(),
            _ => case.window,
        };
        assert!(case.longest_wait() <= window, "{case:?}");
    });
}

#[test]
fn the_largest_cost_there_is_neither_overflows_nor_passes() {
    in_many_states(&KINDS, |random, case, now| {
        let (rule, state) = (case.rule(), case.used(random, now));
        let charged = rule.charge(&state, now, u64::MAX);
        let again = rule.charge(&charged, now, u64::MAX);
        assert_eq!(rule.available(&again, now), 0, "{case:?}");
        assert!(rule.wait(&again, now, u64::MAX) > 0, "{case:?}");
        let refunded = rule.refund(&again, now, u64::MAX, u64::MAX);
        assert!(rule.available(&refunded, now) <= rule.most_at_once());
    });
}

#[test]
fn a_refund_never_makes_more_than_the_burst() {
    in_many_states(&KINDS, |random, case, now| {
        let (rule, state) = (case.rule(), case.used(random, now));
        let before = rule.available(&state, now);
        let refunded = rule.refund(&state, now, random.size(u64::MAX), u64::MAX);
        let after = rule.available(&refunded, now);
        assert!(after >= before, "{case:?}");
        assert!(after <= case.burst, "{case:?}");
    });
}

#[test]
fn a_refund_at_once_undoes_a_charge() {
    in_many_states(&KINDS, |random, case, now| {
        let (rule, state) = (case.rule(), case.used(random, now));
        let available = rule.available(&state, now);
        let units = random.below(available + 1);
        let charged = rule.charge(&state, now, units);
        assert_eq!(rule.available(&charged, now), available - units, "{case:?}");
        let refunded = rule.refund(&charged, now, units, rule.back(&charged));
        assert_eq!(rule.available(&refunded, now), available, "{case:?}");
        let wait = |state| rule.wait(state, now, case.burst);
        assert_eq!(wait(&refunded), wait(&state), "{case:?}");
    });
}

#[test]
fn what_costs_more_than_can_be_used_at_once_waits_for_all_of_it() {
    in_many_states(&KINDS, |random, case, now| {
        let (rule, state) = (case.rule(), case.used(random, now));
        let more = case.burst + random.size(u64::MAX - case.burst);
        let wait = |units| rule.wait(&state, now, units);
        assert_eq!(wait(more), wait(case.burst), "{case:?}");
    });
}

#[test]
fn what_came_back_by_itself_is_not_given_back_once_more() {
    in_many_states(&TIMED, |random, case, now| {
        let rule = case.rule();
        let first = rule.charge(&case.used(random, now), now, 1);
        let back = rule.back(&first);
        // Others use all there is just before that moment, and just after.
        for then in [back - 1, back] {
            let full = rule.charge(&first, then, case.burst);
            let refunded = rule.refund(&full, back, 1, back);
            let untouched = rule.available(&full, back);
            assert_eq!(rule.available(&refunded, back), untouched, "{case:?}");
        }
    });
}
