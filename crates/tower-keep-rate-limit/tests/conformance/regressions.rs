//! Schedules that once were not the same on both stores, or not what the model says.

use tower_keep_test_support::RedisServer;

use crate::{
    operation::{Ask, Operation, Part},
    plan::{Plan, PolicyPlan, Source},
    run::Run,
    schedules::stores,
    spec::{Kind, SECOND, Spec, even, other},
};

const MINUTE: u64 = 60 * SECOND;

async fn run(policies: Vec<PolicyPlan>, operations: Vec<Operation>) {
    let server = RedisServer::start();
    let mut run = Run::new(
        "as written".to_owned(),
        Plan::of(policies),
        &stores(&server),
    );
    for operation in operations {
        run.apply(&operation).await;
    }
}

fn part(cost: u32) -> Part {
    Part {
        cost,
        outcome: cost,
        spec: None,
    }
}

fn by(cost: u32, spec: Spec) -> Part {
    Part {
        spec: Some(spec),
        ..part(cost)
    }
}

fn ending(cost: u32, outcome: u32) -> Part {
    Part {
        outcome,
        ..part(cost)
    }
}

fn ask<const N: usize>(parts: [Part; N]) -> Operation {
    Operation::Ask {
        ask: Ask {
            key: 0,
            is_critical: false,
            parts: parts.into(),
        },
        is_slow: false,
    }
}

fn slow<const N: usize>(parts: [Part; N]) -> Operation {
    match ask(parts) {
        Operation::Ask { ask, .. } => Operation::Ask { ask, is_slow: true },
        other => other,
    }
}

fn asked(spec: Spec) -> PolicyPlan {
    PolicyPlan {
        source: Source::Request,
        ..PolicyPlan::plain("asked", spec)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_costs_nothing_passes_where_the_reserve_is_more_than_a_quota() {
    let policy = PolicyPlan {
        reserve: Some(5),
        ..asked(even(10, SECOND, None))
    };
    run(vec![policy], vec![ask([by(0, even(3, SECOND, None))])]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_costs_nothing_passes_a_ban_that_is_known() {
    let policy = PolicyPlan::plain("plain", even(10, SECOND, None));
    let operations = vec![
        Operation::Ban(0, 0, MINUTE),
        ask([part(1)]),
        ask([part(1)]),
        ask([part(0)]),
    ];
    run(vec![policy], operations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_gives_nothing_back_for_what_it_would_have_refused() {
    let policy = PolicyPlan {
        is_shadow: true,
        settles: true,
        ..PolicyPlan::plain("shadow", even(2, MINUTE, None))
    };
    let operations = vec![
        ask([ending(2, 2)]),
        ask([ending(1, 0)]),
        ask([ending(1, 1)]),
    ];
    run(vec![policy], operations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_of_which_enough_is_left_has_nothing_to_wait_for() {
    let policy = PolicyPlan {
        is_shadow: true,
        ..PolicyPlan::plain("shadow", even(2, MINUTE, None))
    };
    run(vec![policy], vec![Operation::Peek(0, 0)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn to_look_changes_nothing_of_what_another_quota_counts() {
    let long = even(60, MINUTE, None);
    let operations = vec![
        ask([by(60, long)]),
        Operation::Peek(0, 0),
        Operation::Step(2_000_000),
        ask([by(3, long)]),
    ];
    run(vec![asked(even(10, SECOND, None))], operations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn to_look_forgets_nothing_that_is_counted_in_another_way() {
    let strict = other(Kind::Strict, 5, MINUTE);
    let operations = vec![
        ask([by(5, strict)]),
        Operation::Peek(0, 0),
        ask([by(1, strict)]),
    ];
    run(vec![asked(even(10, SECOND, None))], operations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_of_a_window_stays_used_while_the_limit_is_lower() {
    for kind in [Kind::Fixed, Kind::Strict] {
        let lower = other(kind, 5, MINUTE);
        let policy = PolicyPlan {
            settles: true,
            ..asked(other(kind, 10, MINUTE))
        };
        let more = Part {
            outcome: 1,
            ..by(0, lower)
        };
        let operations = vec![
            ask([part(10)]),
            ask([by(1, lower)]),
            ask([more]),
            ask([part(1)]),
        ];
        run(vec![policy], operations).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adjusted_quota_is_what_is_seen_and_taken() {
    let policy = PolicyPlan {
        source: Source::Adjustable,
        ..PolicyPlan::plain("adjusted", even(10, MINUTE, None))
    };
    let operations = vec![
        Operation::Adjust(0, 0, Some(even(3, MINUTE, None))),
        Operation::Peek(0, 0),
        Operation::Take(0, 0, 7),
        Operation::Adjust(0, 0, None),
        Operation::Peek(0, 0),
    ];
    run(vec![policy], operations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_is_known_says_what_became_of_the_other_policies() {
    let policies = vec![
        PolicyPlan::plain("scarce", even(1, MINUTE, None)),
        PolicyPlan::plain("plenty", even(10, MINUTE, None)),
    ];
    let operations = vec![
        ask([part(1), part(3)]),
        ask([part(1), part(3)]),
        Operation::Reset(1, 0),
        ask([part(1), part(3)]),
        Operation::Ban(1, 0, MINUTE),
        ask([part(1), part(3)]),
    ];
    run(policies, operations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_is_given_back_to_its_own_window_though_the_clock_trembles() {
    let policy = PolicyPlan {
        settles: true,
        ..PolicyPlan::plain("window", other(Kind::Fixed, 5, MINUTE))
    };
    let before = i64::try_from(MINUTE).expect("small") - 1;
    let operations = vec![
        Operation::Step(before),
        slow([ending(1, 0)]),
        Operation::Step(1),
        ask([ending(5, 5)]),
        Operation::Step(-1),
        Operation::Answer(0),
        ask([ending(1, 1)]),
    ];
    run(vec![policy], operations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_leaves_no_trace_by_a_clock_that_goes_back() {
    let policy = PolicyPlan::plain("strict", other(Kind::Strict, 4, 16 * SECOND));
    let operations = vec![
        ask([part(3)]),
        Operation::Step(2_000_000),
        ask([part(2)]),
        Operation::Step(-1_000_000),
        ask([part(1)]),
        Operation::Step(17_000_000),
        ask([part(4)]),
    ];
    run(vec![policy], operations).await;
}
