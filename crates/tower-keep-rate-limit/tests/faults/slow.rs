//! Servers that take their time.

use std::{cell::Cell, time::Duration};

use tokio::time::Instant;
use tower_keep_rate_limit::Quota;
use tower_keep_store::Store;
use tower_keep_test_support::{RedisServer, TcpProxy, eventually};

use crate::{
    common::{LONG, from, limited, send, status},
    tools::{layer, merchant, process_within},
};

/// Each way: an answer takes more than half of the deadline.
const LATENCY: Duration = Duration::from_millis(100);

const DEADLINE: Duration = Duration::from_millis(380);

/// A server far away, and a store on it.
async fn far_away() -> (RedisServer, TcpProxy, Store) {
    let server = RedisServer::start();
    let proxy = TcpProxy::builder(server.address())
        .latency(LATENCY)
        .start()
        .await;
    let store = process_within(&format!("redis://{}", proxy.address()), DEADLINE);
    (server, proxy, store)
}

/// How many of the requests of an attempt were decided without the server, though it could be reached well within the
/// deadline all the while: on a machine that holds anything up for so long, a request is right to go on without it.
async fn without_a_server_that_was_there(store: &Store, attempt: impl AsyncFn() -> u64) -> u64 {
    let store = store.clone().deadline(LONG);
    for _ in 0..100 {
        let (asked, longest) = (Cell::new(Instant::now()), Cell::new(Duration::ZERO));
        let witness = async {
            loop {
                asked.set(Instant::now());
                store.ping().await.expect("the server is there");
                longest.set(longest.get().max(asked.get().elapsed()));
            }
        };
        let alone = tokio::select! {
            alone = attempt() => alone,
            () = witness => unreachable!("it has no end"),
        };
        let was_there =
            longest.get().max(asked.get().elapsed()) < 2 * LATENCY + (DEADLINE - 2 * LATENCY) / 2;
        if alone == 0 || was_there {
            return alone;
        }
    }
    panic!("the machine is never calm for a moment");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_well_within_the_deadline_decides_all() {
    let (_server, _proxy, store) = far_away().await;
    let layer = layer(store.clone(), merchant(Quota::per_hour(1_000_000)));
    let (service, _) = limited(&layer);
    let by_server = async || {
        let before = layer.handle().stats().by_share;
        send(&service, from("warm-up")).await;
        layer.handle().stats().by_share == before
    };
    eventually(LONG, by_server).await;
    for at_a_time in [1, 8] {
        let by_share = without_a_server_that_was_there(&store, async || {
            let before = layer.handle().stats().by_share;
            let mut tasks = tokio::task::JoinSet::new();
            for task in 0..at_a_time {
                let service = service.clone();
                tasks.spawn(async move {
                    for turn in 0..3 {
                        status(&service, &format!("m-{at_a_time}-{task}-{turn}")).await;
                    }
                });
            }
            tasks.join_all().await;
            layer.handle().stats().by_share - before
        });
        assert_eq!(by_share.await, 0, "{at_a_time} at a time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_waited_for_each_other_are_not_the_servers_failures() {
    let (_server, _proxy, store) = far_away().await;
    let (service, _) = limited(&layer(store.clone(), merchant(Quota::per_hour(1_000_000))));
    eventually(LONG, async || store.ping().await.is_ok()).await;
    let shared = store.server().expect("a server");
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let (service, shared) = (service.clone(), shared.clone());
        tasks.spawn(async move {
            let mut was_suspended = false;
            for turn in 0..8 {
                status(&service, &format!("m-{task}-{turn}")).await;
                was_suspended |= shared.is_suspended();
            }
            was_suspended
        });
    }
    let was_suspended = tasks.join_all().await.contains(&true);
    assert!(!was_suspended, "the breaker was open");
}
