use std::time::Duration;

use http::StatusCode;
use tower_keep::Store;
use tower_keep_faults::LONG;
use tower_keep_test_support::{RedisServer, eventually, holds_within};

use crate::{
    server::{Limits, Server},
    visitor::{HOST, get, get_http2, send_raw},
};

const CLIENTS: usize = 100;

/// One protocol at a time: a request in HTTP/2 names a scheme, which is part of what is cached.
async fn a_hundred_cold_requests_make_one_call(server: &Server, in_http2: bool) {
    let (at, origin) = (server.address, &server.origin);
    origin.head.close();
    let asking: Vec<_> = (0..CLIENTS)
        .map(|_| {
            tokio::spawn(async move {
                if in_http2 {
                    get_http2(at, "/slow/cold").await
                } else {
                    get(at, "/slow/cold").await
                }
            })
        })
        .collect();
    eventually(LONG, async || {
        origin.arrived() == CLIENTS && origin.head.waiters() > 0
    })
    .await;
    origin.head.open();
    let mut shared = 0;
    for answer in asking {
        let answer = answer.await.expect("an answer");
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body, "cold");
        shared += usize::from(answer.cache_status.contains("collapsed") || answer.is_hit());
    }
    assert_eq!((origin.calls(), shared), (1, CLIENTS - 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_cold_requests_at_once_make_one_call() {
    for in_http2 in [false, true] {
        let server = Server::start(Limits::WIDE).await;
        a_hundred_cold_requests_make_one_call(&server, in_http2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn they_do_so_on_redis_alive_or_dead_from_the_start() {
    for is_dead in [false, true] {
        let mut redis = RedisServer::start();
        if is_dead {
            redis.kill();
        }
        let store = Store::connect(&redis.url()).expect("a good URL");
        let server = Server::on(store.clone(), Limits::WIDE).await;
        let is_settled = async || is_dead || store.log().is_current();
        eventually(LONG, is_settled).await;
        a_hundred_cold_requests_make_one_call(&server, is_dead).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_first_of_them_leaves_the_others_are_answered_by_the_same_call() {
    let server = Server::start(Limits::WIDE).await;
    let (at, origin) = (server.address, server.origin.clone());
    origin.head.close();
    let first = send_raw(at, "/slow/cold").await;
    eventually(LONG, async || origin.head.waiters() == 1).await;
    let others: Vec<_> = (0..10)
        .map(|_| tokio::spawn(get(at, "/slow/cold")))
        .collect();
    eventually(LONG, async || origin.arrived() == 11).await;
    drop(first);
    eventually(LONG, async || origin.in_flight() == 10).await;
    origin.head.open();
    for other in others {
        assert_eq!(other.await.expect("an answer").body, "cold");
    }
    assert_eq!(origin.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_an_invalidation_waits_for_redis_nobody_waits_for_more_than_one_fetch_of_another() {
    const ASKING: usize = 12;
    let mut redis = RedisServer::start();
    let store = Store::connect(&redis.url()).expect("a good URL");
    let server = Server::on(store.clone(), Limits::WIDE).await;
    eventually(LONG, async || store.log().is_current()).await;
    redis.pause();
    let uri = "/slow/doubtful".parse().expect("a URI");
    let late = server.handle.purge(HOST, &uri).await;
    late.expect_err("Redis does not answer");
    let (at, origin) = (server.address, &server.origin);
    origin.head.close();
    let mut asking: Vec<_> = (0..ASKING)
        .map(|_| tokio::spawn(get(at, "/slow/doubtful")))
        .collect();
    eventually(LONG, async || {
        origin.arrived() == ASKING && origin.head.waiters() > 0
    })
    .await;
    origin.head.let_through(1);
    // Then all are answered, or the rest asks the origin at once.
    let is_soon = holds_within(Duration::from_secs(3), async || {
        asking.iter().filter(|one| !one.is_finished()).count() == origin.head.waiters()
    })
    .await;
    asking.retain(|one| !one.is_finished());
    let (left, at_origin) = (asking.len(), origin.head.waiters());
    assert!(is_soon, "{left} wait, {at_origin} of them for the origin");
}
