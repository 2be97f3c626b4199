//! What is changed through one process is seen through the other.

use std::time::{Duration, Instant};

use http::StatusCode;
use tower_keep_faults::{
    Client, Hiring, LONG, Process, RECOVERY, SLACK, STALENESS_BOUND, STATUSES, restart, resume,
    shares,
};
use tower_keep_test_support::RedisServer;

use crate::{process, say};

/// Candidates that are read before and after.
const ALL: std::ops::RangeInclusive<i64> = 1..=20;

/// Those that are changed in between.
const CHANGED: std::ops::RangeInclusive<i64> = 1..=8;

/// Two processes, a client of each, and what they share.
struct Pair {
    redis: RedisServer,
    hiring: Hiring,
    _processes: [Process; 2],
    a: Client,
    b: Client,
}

impl Pair {
    async fn start() -> Self {
        let redis = RedisServer::start();
        let hiring = Hiring::new();
        let processes = [0; 2].map(|_| process(&hiring, &redis.url()));
        let (a, b) = (processes[0].client().await, processes[1].client().await);
        Self {
            redis,
            hiring,
            _processes: processes,
            a,
            b,
        }
    }

    /// Reads all until both answer from their first levels.
    async fn warm_up(&mut self) {
        for client in [&mut self.a, &mut self.b] {
            for id in ALL {
                let path = format!("/api/candidates/{id}");
                let is_hit = async || client.get(&path).await.is_hit();
                let client_is_warm = poll(LONG, is_hit).await;
                assert!(client_is_warm, "{path} is never a hit");
            }
        }
    }

    /// Changes through A, and sees each change there at once.
    async fn change_all(&mut self) {
        for id in CHANGED {
            let next = next_status(&self.hiring.status_of(id));
            let answer = self.a.change_status(id, next).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            assert_eq!(self.hiring.status_of(id), next);
            assert_eq!(self.a.status_of(id).await, next);
        }
    }

    /// Waits until B tells the truth, and checks that it, and A, go on to.
    async fn b_tells_the_truth_within(&mut self, bound: Duration) -> Duration {
        let start = Instant::now();
        for id in CHANGED {
            let truth = self.hiring.status_of(id);
            let left = bound.saturating_sub(start.elapsed());
            let told = poll(left, async || self.b.status_of(id).await == truth).await;
            assert!(told, "candidate {id} is stale on B after {bound:?}");
        }
        let took = start.elapsed();
        for _ in 0..3 {
            for id in ALL {
                let truth = self.hiring.status_of(id);
                assert_eq!(self.a.status_of(id).await, truth);
                assert_eq!(self.b.status_of(id).await, truth);
            }
        }
        took
    }
}

/// As `holds_within`, for conditions that change what they look with.
async fn poll(bound: Duration, mut condition: impl AsyncFnMut() -> bool) -> bool {
    let end = Instant::now() + bound;
    while !condition().await {
        if Instant::now() > end {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    true
}

fn next_status(status: &str) -> &'static str {
    let at = STATUSES.iter().position(|known| *known == status);
    STATUSES[(at.expect("a known status") + 1) % STATUSES.len()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_through_one_process_is_soon_seen_through_the_other() {
    let mut pair = Pair::start().await;
    pair.warm_up().await;
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        pair.change_all().await;
        slowest = slowest.max(pair.b_tells_the_truth_within(SLACK).await);
    }
    say("B told the truth after at most", format!("{slowest:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_computes_the_other_finds_in_redis() {
    let mut pair = Pair::start().await;
    pair.warm_up().await;
    shares(&mut pair.a, &mut pair.b, &pair.redis).await;
    shares(&mut pair.b, &mut pair.a, &pair.redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_while_redis_was_paused_is_seen_through_the_other_process_when_it_goes_on() {
    let mut pair = Pair::start().await;
    pair.warm_up().await;
    pair.redis.pause();
    pair.change_all().await;
    resume(&mut pair.redis);
    let took = pair.b_tells_the_truth_within(RECOVERY).await;
    say("after a pause B told the truth after", format!("{took:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_while_redis_was_dead_is_seen_through_the_other_process_when_it_is_back() {
    let mut pair = Pair::start().await;
    pair.warm_up().await;
    pair.redis.kill();
    pair.change_all().await;
    restart(&mut pair.redis);
    let took = pair.b_tells_the_truth_within(RECOVERY).await;
    say("after a death B told the truth after", format!("{took:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_stays_away_no_process_is_stale_beyond_the_bound() {
    let mut pair = Pair::start().await;
    pair.warm_up().await;
    pair.redis.pause();
    pair.change_all().await;
    let took = pair.b_tells_the_truth_within(STALENESS_BOUND + SLACK).await;
    say("without Redis B told the truth after", format!("{took:?}"));
    // And when Redis is back, the old entries that it still has are not.
    resume(&mut pair.redis);
    for _ in 0..5 {
        pair.b_tells_the_truth_within(Duration::ZERO).await;
    }
}
