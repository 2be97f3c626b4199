//! A refusal costs nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer};
use tower_keep_test_support::{RedisServer, Reply, ScriptedBody};

use crate::{
    common::{from, limited, status},
    tools::{buckets, keys, lives, merchant, process},
};

/// Policies of all kinds, the last of which is used up after three.
fn layer(server: &RedisServer) -> RateLimitLayer {
    let all = || Key::from_fn(|_| Some("all"));
    RateLimitLayer::builder(process(server))
        .policy(Policy::new("rate", Quota::per_hour(7)).by(all()))
        .policy(Policy::new("strict", Quota::per_hour(1000).strict()).by(all()))
        .policy(Policy::new("window", Quota::per_day(1000).fixed_window()).by(all()))
        .policy(Policy::new("slots", Quota::concurrent(1000)).by(all()))
        .policy(
            Policy::new("outcome", Quota::per_hour(1000))
                .by(all())
                .count_if(|_| true),
        )
        .policy(merchant(Quota::per_hour(3)))
        .build()
        .expect("makes sense")
}

fn assert_nothing_written(server: &RedisServer) {
    let calls = server.command_stats();
    for command in ["set", "hset", "hdel", "unlink", "del", "expire", "getex"] {
        assert_eq!(calls.get(command), None, "{command}");
    }
}

/// How long the buckets live. (Commands that extend lives are not counted: heartbeats and readers of the log send
/// some, too.)
fn lives_of(server: &RedisServer, buckets: &BTreeMap<String, Reply>) -> Vec<i64> {
    buckets.keys().map(|key| lives(server, key)).collect()
}

fn assert_nothing_extended(server: &RedisServer, buckets: &BTreeMap<String, Reply>, lived: &[i64]) {
    for (key, lived) in buckets.keys().zip(lived) {
        assert!((1..=*lived).contains(&lives(server, key)), "of {key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_changes_nothing_on_the_server() {
    let server = RedisServer::start();
    // A slot of its own is held, so that there is a hash to be left alone.
    let held = layer(&server).layer(service_fn(async |_| {
        Ok::<_, std::convert::Infallible>(Response::new(ScriptedBody::frames(["a", "b"])))
    }));
    let open = held
        .oneshot(from("m").map(|_| Bytes::new()))
        .await
        .expect("answers");
    assert_eq!(open.status(), StatusCode::OK);
    let (first, _) = limited(&layer(&server));
    for _ in 0..2 {
        assert_eq!(status(&first, "m").await, StatusCode::OK);
    }
    let others: Vec<_> = (0..10).map(|_| limited(&layer(&server)).0).collect();
    // What was given back by the last one may still be under way.
    let slots = keys(&server, "keep:r:")
        .into_iter()
        .find(|key| server.command(&["TYPE", key]).text().as_deref() == Some("hash"));
    let slots = slots.expect("a slot is held");
    tower_keep_test_support::eventually(crate::common::LONG, async || {
        server.command(&["HLEN", &slots]) == Reply::Integer(1)
    })
    .await;
    let before = buckets(&server);
    assert_eq!(before.len(), 6);
    let lived = lives_of(&server, &before);
    server.reset_stats();
    for service in &others {
        for _ in 0..20 {
            assert_eq!(status(service, "m").await, StatusCode::TOO_MANY_REQUESTS);
        }
    }
    assert_nothing_written(&server);
    assert!(server.command_stats()["mget"] >= 10, "all asked once");
    assert_eq!(buckets(&server), before);
    assert_nothing_extended(&server, &before, &lived);
    drop(open);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_the_server_decides_each_time_writes_nothing_either() {
    let server = RedisServer::start();
    let policy = merchant(Quota::per_hour(3)).count_if(|_| true);
    let (service, calls) = limited(&crate::tools::layer(process(&server), policy));
    for _ in 0..3 {
        assert_eq!(status(&service, "m").await, StatusCode::OK);
    }
    let before = buckets(&server);
    let lived = lives_of(&server, &before);
    server.reset_stats();
    for _ in 0..100 {
        assert_eq!(status(&service, "m").await, StatusCode::TOO_MANY_REQUESTS);
    }
    assert_nothing_written(&server);
    assert!(server.command_stats()["mget"] >= 100);
    assert_eq!(buckets(&server), before);
    assert_nothing_extended(&server, &before, &lived);
    assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 3);
}
