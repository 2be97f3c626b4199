//! How long what was told counts, and clocks that step.

use std::time::Duration;

use tower_keep_store::{Clock, Outcome};
use tower_keep_test_support::{RedisServer, eventually};

use crate::tools::{LONG, Process, START};

/// What is told lives a minute.
const EVERY: Duration = Duration::from_secs(1);

const LIVES: Duration = Duration::from_secs(60);

const MILLI: Duration = Duration::from_millis(1);

/// Waits until the others were read at the present time.
async fn has_read(process: &Process) {
    let is_new = async || process.cluster().view_age_seconds == Some(0.0);
    eventually(LONG, is_new).await;
}

/// Two processes, of which the first has told what it counted.
async fn two(server: &RedisServer, clocks: [&Clock; 2]) -> [Process; 2] {
    let [mut one, other] = clocks.map(|clock| Process::by(clock, &server.url(), EVERY));
    one.count("a", Outcome::Hit, 7).await;
    eventually(LONG, async || other.sum("a") == 7).await;
    [one, other]
}

#[tokio::test]
async fn what_a_dead_process_told_stays_until_its_time_to_live_is_over() {
    let server = RedisServer::start();
    let clock = Clock::manual(START);
    let [mut dead, other] = two(&server, [&clock, &clock]).await;
    clock.advance(Duration::from_secs(30));
    dead.count("a", Outcome::Hit, 1).await;
    eventually(LONG, async || other.sum("a") == 8).await;
    drop(dead);
    clock.advance(LIVES - MILLI);
    has_read(&other).await;
    let cluster = other.cluster();
    assert_eq!((other.sum("a"), cluster.processes.len()), (8, 2));
    let age = cluster.processes[1].age_seconds;
    assert!((59.0..60.0).contains(&age), "{age}");
    // Of its last minute nothing surely lies in the one that ends now.
    let class = cluster.class("a").expect("told");
    assert_eq!((class.minute.lookups, class.five_minutes.lookups), (0, 8));
    clock.advance(MILLI);
    has_read(&other).await;
    eventually(LONG, async || other.cluster().processes.len() == 1).await;
    assert_eq!(other.sum("a"), 0);
}

#[tokio::test]
async fn a_clock_that_steps_back_makes_nobody_live_longer_or_count_twice() {
    let server = RedisServer::start();
    let [ahead, behind] = [
        Clock::manual(START + Duration::from_secs(3600)),
        Clock::manual(START),
    ];
    // The server goes by the clock of whoever speaks: for the second it steps back an hour.
    let [mut one, other] = two(&server, [&ahead, &behind]).await;
    for sum in [8, 9, 10] {
        one.count("a", Outcome::Hit, 1).await;
        eventually(LONG, async || other.sum("a") == sum).await;
        let cluster = other.cluster();
        assert_eq!(cluster.processes.len(), 2);
        assert!(cluster.processes[1].age_seconds <= 1.0, "{cluster:?}");
    }
    drop(one);
    behind.advance(Duration::from_secs(1));
    has_read(&other).await;
    behind.advance(LIVES);
    eventually(LONG, async || other.cluster().processes.len() == 1).await;
}

#[tokio::test]
async fn a_process_whose_clock_steps_back_is_told_and_read_as_before() {
    let server = RedisServer::start();
    let clock = Clock::manual(START);
    let [mut one, mut other] = two(&server, [&clock, &clock]).await;
    // The hands go around: ten minutes back.
    clock.advance(Duration::from_micros(u64::MAX) - Duration::from_micros(600_000_000 - 1));
    assert_eq!(START.since(clock.now()), Duration::from_secs(600));
    one.count("a", Outcome::Hit, 3).await;
    other.count("a", Outcome::Miss, 2).await;
    for process in [&one, &other] {
        eventually(LONG, async || process.sum("a") == 12).await;
        let cluster = process.cluster();
        assert!(cluster.unreachable_seconds.is_none() && cluster.processes.len() == 2);
        assert!(cluster.processes[1].age_seconds <= 600.0, "{cluster:?}");
    }
}
