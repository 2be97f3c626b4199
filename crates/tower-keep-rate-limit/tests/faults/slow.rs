//! Servers that take their time.

use std::time::Duration;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_well_within_the_deadline_decides_all() {
    let (_server, _proxy, store) = far_away().await;
    let layer = layer(store, merchant(Quota::per_hour(1_000_000)));
    let (service, _) = limited(&layer);
    let by_server = async || {
        let before = layer.handle().stats().by_share;
        send(&service, from("warm-up")).await;
        layer.handle().stats().by_share == before
    };
    eventually(LONG, by_server).await;
    let before = layer.handle().stats();
    for turn in 0..3 {
        status(&service, &format!("alone-{turn}")).await;
    }
    let alone = layer.handle().stats();
    assert_eq!(alone.by_share, before.by_share, "one at a time");
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let service = service.clone();
        tasks.spawn(async move {
            for turn in 0..5 {
                status(&service, &format!("m-{task}-{turn}")).await;
            }
        });
    }
    tasks.join_all().await;
    let after = layer.handle().stats();
    let requests = after.allowed - alone.allowed;
    assert_eq!(
        after.by_share, before.by_share,
        "of {requests} requests, eight at a time"
    );
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
