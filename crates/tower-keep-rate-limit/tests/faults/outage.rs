//! Redis dies, comes back empty, hangs and goes on, while requests keep coming.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use tokio::time::Instant;
use tower_keep_rate_limit::{Policy, Quota, RateLimitHandle, RateLimitLayer, Subject};
use tower_keep_store::Store;
use tower_keep_test_support::{RedisServer, eventually};

use crate::{
    common::{LONG, Limited, field, from, limited, send, status},
    tools::{Passed, SLACK, assert_bounded, layer, merchant},
};

const DEADLINE: Duration = Duration::from_millis(50);

/// Requests without a pause, until told to stop.
struct Load {
    is_over: Arc<AtomicBool>,
    passed: Arc<Mutex<Vec<Passed>>>,
    running: tokio::task::JoinSet<()>,
}

impl Load {
    fn start(services: &[Limited]) -> Self {
        let mut load = Self {
            is_over: Arc::default(),
            passed: Arc::default(),
            running: tokio::task::JoinSet::new(),
        };
        for service in services {
            let (is_over, passed) = (load.is_over.clone(), load.passed.clone());
            let service = service.clone();
            load.running.spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let from = Instant::now();
                    let answer = status(&service, "m").await;
                    let until = Instant::now();
                    assert!(until - from < DEADLINE + SLACK, "{:?}", until - from);
                    match answer {
                        StatusCode::OK => {
                            passed.lock().expect("whole").push(Passed { from, until });
                        }
                        StatusCode::TOO_MANY_REQUESTS => {}
                        other => panic!("{other}"),
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
        }
        load
    }

    fn count(&self) -> usize {
        self.passed.lock().expect("whole").len()
    }

    /// Goes on until so many more have passed.
    async fn more(&self, many: usize) {
        let before = self.count();
        eventually(LONG, async || self.count() >= before + many).await;
    }

    async fn stop(self) -> Vec<Passed> {
        self.is_over.store(true, Ordering::Relaxed);
        self.running.join_all().await;
        let passed = self.passed.lock().expect("whole");
        passed.clone()
    }
}

/// What one process takes, the other sees: they share a quota again.
async fn shares_again(first: &RateLimitHandle, second: &RateLimitHandle) {
    let rounds = Cell::new(0);
    eventually(SLACK, async || {
        rounds.set(rounds.get() + 1);
        let subject = Subject::header(format!("round {}", rounds.get()));
        let taken = first.take("merchant", &subject, 5).await;
        let left = second.peek("merchant", &subject).await;
        matches!((taken, left), (Ok(5), Ok(left)) if left.remaining() <= 296)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn through_kill_restart_pause_and_resume_three_processes_keep_one_quota_within_a_tenth() {
    let mut server = RedisServer::start();
    let quota = Quota::new(300, Duration::from_secs(10));
    let connect = || Store::connect(&server.url()).expect("a good URL");
    let stores = [(); 3].map(|()| connect());
    let layers = stores
        .each_ref()
        .map(|store| layer(store.clone(), merchant(quota)));
    let services = layers.each_ref().map(|layer| limited(layer).0);
    let [first, second, _] = layers.each_ref().map(RateLimitLayer::handle);
    // Each has heard of all others before the first outage.
    eventually(LONG, async || {
        stores.iter().all(|store| store.processes().count() == 3)
    })
    .await;
    let load = Load::start(&services);
    load.more(340).await;
    server.kill();
    load.more(20).await;
    server.restart();
    shares_again(&first, &second).await;
    load.more(40).await;
    server.pause();
    load.more(20).await;
    server.resume();
    shares_again(&first, &second).await;
    load.more(40).await;
    let passed = load.stop().await;
    assert_bounded(&passed, 330.0, 33.0);
}

/// A server on a socket: while it is down, nobody else takes its place.
fn without_port() -> RedisServer {
    RedisServer::builder().unix_socket().start()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_starts_while_redis_is_down_limits_and_shares_when_it_comes() {
    let mut server = without_port();
    server.kill();
    let connect = || Store::connect(&server.url()).expect("a good URL");
    let layers = [(); 2].map(|()| layer(connect(), merchant(Quota::per_day(300))));
    let (service, _) = limited(&layers[0]);
    let begun = Instant::now();
    let mut passed = 0;
    for _ in 0..400 {
        let answer = status(&service, "m").await;
        assert!(
            answer == StatusCode::OK || answer == StatusCode::TOO_MANY_REQUESTS,
            "{answer}"
        );
        passed += u32::from(answer == StatusCode::OK);
    }
    // The first few wait for the deadline, until the breaker is open.
    assert!(begun.elapsed() < DEADLINE * 20 + SLACK);
    assert_eq!(passed, 300, "alone, as far as it knows");
    server.restart();
    shares_again(&layers[0].handle(), &layers[1].handle()).await;
    // What the first let pass, the second is told as soon as the first asks again.
    let subject = Subject::header("m");
    eventually(SLACK, async || {
        let _told = status(&service, "m").await;
        let left = layers[1].handle().peek("merchant", &subject).await;
        left.is_ok_and(|left| left.remaining() == 0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_fails_closed_says_when_to_come_again_and_one_that_fails_open_lets_pass() {
    for hangs in [false, true] {
        let mut server = without_port();
        let builder = || {
            let store = Store::connect(&server.url()).expect("a good URL");
            RateLimitLayer::builder(store).policy(merchant(Quota::per_day(3)))
        };
        let closed = builder().fail_closed().build().expect("makes sense");
        let open = builder().allow_on_failure().build().expect("makes sense");
        if hangs {
            server.pause();
        } else {
            server.kill();
        }
        let (service, calls) = limited(&closed);
        for _ in 0..10 {
            let answer = send(&service, from("m")).await;
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            let seconds = field(&answer, "retry-after").expect("says when");
            assert!((1..=60).contains(&seconds.parse::<u32>().expect("seconds")));
            assert_eq!(field(&answer, "cache-control"), Some("no-store"));
        }
        assert_eq!(calls.load(Ordering::Relaxed), 0);
        let (service, calls) = limited(&open);
        for _ in 0..10 {
            assert_eq!(status(&service, "m").await, StatusCode::OK);
        }
        assert_eq!(calls.load(Ordering::Relaxed), 10);
        if hangs {
            server.resume();
        }
    }
}

/// Two layers on one store, the first of which is built with, and has, more time.
fn patient_and_hasty(server: &RedisServer) -> [RateLimitLayer; 2] {
    let store = Store::connect(&server.url()).expect("a good URL");
    [("patient", LONG * 2), ("hasty", DEADLINE)].map(|(name, deadline)| {
        let policy = Policy::new(name, Quota::per_day(1000));
        let builder = RateLimitLayer::builder(store.clone()).policy(policy);
        builder.deadline(deadline).build().expect("makes sense")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_beside_a_more_patient_one_asks_the_server() {
    let server = RedisServer::start();
    let [_patient, hasty] = patient_and_hasty(&server);
    let (service, _) = limited(&hasty);
    eventually(LONG, async || {
        let before = hasty.handle().stats().by_share;
        assert_eq!(status(&service, "m").await, StatusCode::OK);
        hasty.handle().stats().by_share == before
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_longer_deadline_of_another_layer() {
    let mut server = RedisServer::start();
    let layers = patient_and_hasty(&server);
    let [patient, hasty] = layers.each_ref().map(|layer| limited(layer).0);
    // So that connections are there.
    for _ in 0..10 {
        assert_eq!(status(&patient, "m").await, StatusCode::OK);
    }
    server.pause();
    let waiting = tokio::spawn(async move { status(&patient, "m").await });
    // So that the hasty one finds the patient one's call under way.
    tokio::time::sleep(DEADLINE).await;
    let begun = Instant::now();
    let answer = tokio::time::timeout(LONG, status(&hasty, "m")).await;
    let waited = begun.elapsed();
    let is_waiting = !waiting.is_finished();
    server.resume();
    assert_eq!(answer.expect("is answered"), StatusCode::OK);
    assert!(waited < DEADLINE + SLACK, "{waited:?}");
    assert!(is_waiting, "the patient one has time");
    assert_eq!(waiting.await.expect("is answered"), StatusCode::OK);
}
