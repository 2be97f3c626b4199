//! Random schedules: reads, changes and invalidations through several processes, of which some are killed,
//! paused and cut off, on a Redis that forgets.

use std::time::Duration;

use tower_keep_cluster::{Chaos, Plan, Schedule, Unchecked};
use tower_keep_test_support::seed;

use crate::{say, setup};

/// How long a process may answer without news, and how long its requests wait for each other.
const STALENESS_BOUND: Duration = Duration::from_millis(1000);
const PATIENCE: Duration = Duration::from_millis(500);

/// Two that follow one fetch are answered together, so the bound has both.
const PLAN: Plan = Plan {
    answers: 100_000,
    events: 80,
    chaos: Chaos::ALL,
    items: 64,
    readers: 8,
    writers: 3,
    writes: 40,
    bound: STALENESS_BOUND.saturating_add(PATIENCE),
};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_older_than_an_invalidation_is_served_beyond_the_bound() {
    let seed = seed();
    let mut cluster = patient().start().await;
    let schedule = Schedule::run(&mut cluster, PLAN, seed).await;
    say("eventual", &schedule);
    assert_eq!(schedule.report.wrong, 0, "{schedule}");
    assert!(schedule.report.hits > PLAN.answers / 10, "{schedule}");
    assert!(schedule.report.invalidations > 500, "{schedule}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strictly_nothing_older_than_an_invalidation_is_served_at_all() {
    let seed = seed();
    let plan = Plan {
        bound: Duration::ZERO,
        // While they are led there one after the other, there are two masters.
        chaos: Chaos::ON_ONE_SERVER,
        ..PLAN
    };
    let mut cluster = patient().flag("--strict").start().await;
    let schedule = Schedule::run(&mut cluster, plan, seed).await;
    say("strict", &schedule);
    assert_eq!(schedule.report.wrong, 0, "{schedule}");
    assert!(schedule.report.hits > plan.answers / 10, "{schedule}");
}

/// What is forgotten often finds processes in the middle of changes and of catching up; steps that wait for no
/// long give up in the middle. One fetch for all processes, or one in each: by lot.
#[tokio::test(flavor = "multi_thread")]
async fn strictly_nothing_older_is_served_while_everything_is_forgotten_again_and_again() {
    let seed = seed();
    let plan = Plan {
        bound: Duration::ZERO,
        chaos: &[Chaos::FlushAll, Chaos::Restart, Chaos::Kill, Chaos::Pause],
        items: 8,
        writers: 6,
        answers: 50_000,
        ..PLAN
    };
    let setup = patient().flag("--strict").option("--deadline", 50);
    let setup = match seed % 2 {
        0 => setup,
        _ => setup.option("--lease", 500),
    };
    let mut cluster = setup.start().await;
    let schedule = Schedule::run(&mut cluster, plan, seed).await;
    say("strict, forgetful", &schedule);
    assert_eq!(schedule.report.wrong, 0, "{schedule}");
    assert!(schedule.report.invalidations > 100, "{schedule}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_look_at_positions_the_same_schedule_finds_stale_answers() {
    let seed = seed();
    let mut cluster = patient().start().await;
    let _unchecked = Unchecked::start(&cluster.redis).await;
    let schedule = Schedule::run(&mut cluster, PLAN, seed).await;
    say("without positions", &schedule);
    assert!(schedule.report.wrong > 0, "{schedule}");
}

fn patient() -> tower_keep_cluster::Setup {
    setup()
        .option("--staleness-bound", STALENESS_BOUND.as_millis())
        .option("--patience", PATIENCE.as_millis())
}
