//! What is summed, and what is asked of the server for it.

use std::time::Duration;

use serde_json::{Value, json};
use tower::Layer;
use tower_keep_hit_rate::{ClusterClass, HitRateHandle, HitRateLayer, Kind};
use tower_keep_store::{LookupKind, Outcome, Store};
use tower_keep_test_support::{RedisServer, Reply, eventually};

use crate::{
    common::{Scripted, ask, by_segment, get, place, told},
    tools::{LONG, OFTEN, Process, keys, number},
};

#[tokio::test]
async fn rates_are_those_of_the_sums_of_all_processes() {
    let server = RedisServer::start();
    let [mut one, mut other] = [(); 2].map(|()| Process::on(&server.url(), OFTEN));
    one.count("a", Outcome::Hit, 9).await;
    one.count("a", Outcome::Miss, 1).await;
    other.count("a", Outcome::Miss, 90).await;
    other.count("b", Outcome::Stale, 5).await;
    for process in [&one, &other] {
        eventually(LONG, async || {
            process.sum("a") == 100 && process.sum("b") == 5
        })
        .await;
        let cluster = process.cluster();
        let class = cluster.class("a").expect("counted");
        for window in [
            &class.minute,
            &class.five_minutes,
            &class.hour,
            &class.since_start,
        ] {
            // Never the mean of 0.9 and 0.
            assert_eq!((window.lookups, window.hit_rate), (100, Some(0.09)));
            assert_eq!(window.outcomes.miss, 91);
        }
        assert_eq!(class.miss_latency.map(|latency| latency.count), Some(91));
        let whose: Vec<_> = cluster
            .processes
            .iter()
            .map(|process| process.is_this)
            .collect();
        assert_eq!(whose, [true, false]);
        let requests: u64 = cluster
            .processes
            .iter()
            .map(|process| process.requests)
            .sum();
        assert_eq!((requests, cluster.ignored), (105, 0));
        assert!(cluster.view_age_seconds.is_some() && cluster.unreachable_seconds.is_none());
    }
}

/// Objects are the busier, so they come first.
#[tokio::test]
async fn a_class_is_found_by_its_kind() {
    let (store, clock) = place();
    let (layer, handle) = by_segment(store.clone()).build().expect("makes sense");
    for _ in 0..3 {
        let watch = store.watch(LookupKind::Objects, "jobs", b"key");
        watch.expect("observed").tell(Outcome::Hit.into());
    }
    let mut service = layer.layer(Scripted(clock));
    ask(&mut service, told("/jobs/1", Outcome::Miss, Duration::ZERO)).await;
    let cluster = handle.cluster().expect("it tells");
    let lookups = |class: Option<&ClusterClass>| class.expect("counted").since_start.lookups;
    assert_eq!(lookups(cluster.class("jobs")), 1);
    assert_eq!(lookups(cluster.class_of(Kind::Http, "jobs")), 1);
    assert_eq!(lookups(cluster.class_of(Kind::Objects, "jobs")), 3);
}

/// Both layers hear of the same lookups.
#[tokio::test]
async fn objects_count_once_though_two_layers_are_on_their_store() {
    let server = RedisServer::start();
    let store = Store::builder().deadline(LONG).connect(&server.url());
    let store = store.expect("a good URL");
    let pair = || by_segment(store.clone()).cluster_every(OFTEN).build();
    let [(_first, one), (_second, other)] = [(); 2].map(|()| pair().expect("makes sense"));
    let look_up = || {
        for _ in 0..10 {
            let watch = store.watch(LookupKind::Objects, "jobs", b"key");
            watch.expect("observed").tell(Outcome::Hit.into());
        }
    };
    let in_all = |handle: &HitRateHandle| {
        let cluster = handle.cluster().expect("it tells");
        let class = cluster.class_of(Kind::Objects, "jobs");
        let lookups = class.map_or(0, |class| class.since_start.lookups);
        (cluster.processes.len(), lookups)
    };
    look_up();
    for handle in [&one, &other] {
        eventually(LONG, async || in_all(handle).0 == 2).await;
        eventually(LONG, async || in_all(handle).1 >= 10).await;
    }
    // Each has told since, and read what the other told.
    for handle in [&one, &other] {
        let number = |process: &RedisServer| process.command_stats().get("hmget").copied();
        let before = number(&server).unwrap_or(0);
        eventually(LONG, async || {
            in_all(handle);
            number(&server).unwrap_or(0) > before + 3
        })
        .await;
        assert_eq!(in_all(handle), (2, 10));
        let here = handle.snapshot();
        let here = here.class_of(Kind::Objects, "jobs").expect("counted");
        assert_eq!(here.since_start.lookups, 10);
    }
}

#[tokio::test]
async fn what_this_process_counts_is_in_the_sum_at_once() {
    let server = RedisServer::start();
    let [mut one, mut other] = [(); 2].map(|()| Process::on(&server.url(), OFTEN));
    other.count("a", Outcome::Hit, 7).await;
    eventually(LONG, async || one.sum("a") == 7).await;
    for sum in 8..30 {
        one.count("a", Outcome::Hit, 1).await;
        assert_eq!(one.sum("a"), sum);
    }
}

#[tokio::test]
async fn nothing_is_read_until_somebody_asks() {
    let server = RedisServer::start();
    let process = Process::on(&server.url(), OFTEN);
    let calls = |name| server.command_stats().get(name).copied().unwrap_or(0);
    eventually(LONG, async || calls("hset") > 5).await;
    assert_eq!(calls("zrevrange"), 0);
    let first = process.cluster();
    assert_eq!((first.processes.len(), first.view_age_seconds), (1, None));
    eventually(LONG, async || calls("zrevrange") > 0).await;
    eventually(LONG, async || process.cluster().view_age_seconds.is_some()).await;
}

#[tokio::test]
async fn the_first_to_ask_does_not_wait_for_the_interval() {
    let server = RedisServer::start();
    let hour = Duration::from_secs(3600);
    let [one, other] = [(); 2].map(|()| Process::on(&server.url(), hour));
    let tellings = || server.command_stats().get("hset").copied();
    eventually(LONG, async || tellings() == Some(2)).await;
    assert_eq!(one.cluster().processes.len(), 1);
    eventually(LONG, async || one.cluster().processes.len() == 2).await;
    drop(other);
}

#[tokio::test]
async fn on_the_embedded_store_there_is_this_process_alone() {
    let (store, _) = place();
    let (_layer, handle) = HitRateLayer::pair(store);
    let cluster = handle.cluster().expect("there is always one");
    assert_eq!(cluster.processes.len(), 1);
    assert!(cluster.processes[0].is_this);
    assert_eq!(
        (cluster.view_age_seconds, cluster.unreachable_seconds),
        (None, None)
    );
}

#[tokio::test]
async fn a_layer_without_cluster_has_no_view_and_is_in_none() {
    let server = RedisServer::start();
    let store = Store::connect(&server.url()).expect("a good URL");
    let (_layer, alone) = by_segment(store)
        .without_cluster()
        .build()
        .expect("makes sense");
    let process = Process::on(&server.url(), OFTEN);
    eventually(LONG, async || process.cluster().view_age_seconds.is_some()).await;
    assert_eq!(process.cluster().processes.len(), 1);
    assert_eq!(alone.cluster(), None);
}

#[tokio::test]
async fn an_interval_that_makes_no_sense_is_refused() {
    for millis in [0, 9, 3_600_001] {
        let every = Duration::from_millis(millis);
        let error = HitRateLayer::builder(Store::memory())
            .cluster_every(every)
            .build();
        let error = error.expect_err("refused").to_string();
        assert!(error.contains("cluster_every"), "{error}");
    }
}

#[tokio::test]
async fn its_words_are_these() {
    let (store, _) = place();
    let (layer, handle) = HitRateLayer::pair(store);
    let mut service = layer.layer(Scripted(place().1));
    ask(&mut service, get("/")).await;
    let cluster = serde_json::to_value(handle.cluster()).expect("serialises");
    let names = |value: &Value| -> Vec<String> {
        let object = value.as_object().expect("an object");
        object.keys().cloned().collect()
    };
    let process = &cluster["processes"][0];
    let words = [
        "age_seconds",
        "id",
        "in_flight",
        "is_this",
        "requests",
        "uptime_seconds",
    ];
    assert_eq!(names(process), words);
    assert_eq!(
        (&process["requests"], &process["in_flight"]),
        (&json!(1), &json!(0))
    );
    let class = &cluster["classes"][0];
    assert_eq!(class["class"], json!("unmatched"));
    for window in ["minute", "five_minutes", "hour", "since_start"] {
        assert_eq!(class[window]["outcomes"]["bypass"], json!(1));
    }
}

/// As the script is called.
fn tell(server: &RedisServer, process: u64, number: u64, now: u64, snapshot: &str) {
    let argument = format!(
        "{process:016x}{number:016}{now:016}{:016}{snapshot}",
        60_000
    );
    let script = include_str!("../../src/cluster/tell.lua");
    let keys = ["keep:h:{x}", "keep:h:{x}:00000001"];
    let reply = server.command(&["EVAL", script, "2", keys[0], keys[1], &argument]);
    assert_eq!(reply.text().as_deref(), Some(""), "{reply:?}");
}

#[tokio::test]
async fn what_is_told_again_or_late_is_left_out() {
    let server = RedisServer::start();
    let told = || {
        let reply = server.command(&["HGET", "keep:h:{x}", "000000000000000a"]);
        reply.text().expect("told")
    };
    tell(&server, 10, 5, 1000, "five");
    for number in [1, 4, 5] {
        tell(&server, 10, number, 2000, "late");
        assert!(told().ends_with("five"), "{}", told());
    }
    let at = server.command(&["ZSCORE", "keep:h:{x}:00000001", "000000000000000a"]);
    assert_eq!(at.text().as_deref(), Some("1000"));
    tell(&server, 10, 6, 2000, "six");
    assert!(told().ends_with("six"));
    // Another's number is another.
    tell(&server, 11, 1, 2000, "one");
    assert!(told().ends_with("six"));
}

#[tokio::test]
async fn there_are_at_most_256_processes_and_those_go_that_told_the_longest_ago() {
    let server = RedisServer::start();
    for process in 0..300 {
        tell(&server, process, 1, 1000 + process, "x");
    }
    let [snapshots, times] = keys(&server).expect("two keys");
    assert_eq!(number(&server.command(&["HLEN", &snapshots])), 256);
    assert_eq!(number(&server.command(&["ZCARD", &times])), 256);
    let first = server.command(&["ZRANGE", &times, "0", "0"]);
    let Reply::Array(Some(first)) = first else {
        panic!("a list")
    };
    assert_eq!(first[0].text(), Some(format!("{:016x}", 44)));
    for key in [snapshots, times] {
        let lives = number(&server.command(&["PTTL", &key]));
        assert!((1..=60_000).contains(&lives), "{key}: {lives}");
    }
}

#[tokio::test]
async fn what_was_told_is_gone_when_its_time_is_over_whoever_tells_then() {
    let server = RedisServer::start();
    for (process, now) in [(1, 1000), (2, 60_999)] {
        tell(&server, process, 1, now, "x");
    }
    let [snapshots, times] = keys(&server).expect("two keys");
    let told = |by: &str, key: &str| number(&server.command(&[by, key]));
    assert_eq!((told("HLEN", &snapshots), told("ZCARD", &times)), (2, 2));
    tell(&server, 2, 2, 61_000, "x");
    assert_eq!((told("HLEN", &snapshots), told("ZCARD", &times)), (1, 1));
}
