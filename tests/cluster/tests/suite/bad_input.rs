//! Tags that nobody should make, more of them than anybody needs, and more invalidations than fit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tower_keep_cache::{CacheHandle, CacheLayer, Tag};
use tower_keep_cluster::{Client, LONG, Node};
use tower_keep_store::{Mode, Store};
use tower_keep_test_support::{Reply, eventually};

use crate::{say, setup};

fn tagged(item: u64, tag: &str) -> String {
    format!("/tagged/{item}?tag={}", encoded(tag))
}

fn encoded(tag: &str) -> String {
    utf8_percent_encode(tag, NON_ALPHANUMERIC).to_string()
}

async fn is_soon_a_hit(client: &mut Client, path: &str) {
    let end = Instant::now() + LONG;
    while !client.get(path).await.is_hit() {
        assert!(Instant::now() < end, "{path} is never a hit");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_tags_are_all_different_and_each_invalidates_its_own() {
    let cluster = setup().nodes(2).start().await;
    let long = "x".repeat(4096);
    let odd = [
        "",
        " ",
        ",",
        "a",
        "b",
        "a,b",
        "a, b",
        "{a}",
        "{",
        "}",
        "{}",
        "a}",
        "\0",
        "\r\n",
        "\"",
        "ü",
        "item",
        "*",
        &long,
        &long[1..],
    ];
    let mut clients = cluster.clients().await;
    let paths: Vec<_> = (0..)
        .zip(odd)
        .map(|(item, tag)| tagged(item, tag))
        .collect();
    for client in &mut clients {
        for path in &paths {
            is_soon_a_hit(client, path).await;
        }
    }
    for (item, tag) in (0..).zip(odd) {
        cluster.database.commit(item);
        let (one, other) = ((item % 2) as usize, (1 - item % 2) as usize);
        clients[one]
            .invalidate(&format!("tag/{}", encoded(tag)))
            .await;
        let hits = async |client: &mut Client| {
            let mut hits = Vec::new();
            for path in &paths {
                hits.push(client.get(path).await.is_hit());
            }
            hits
        };
        let expected: Vec<_> = (0..odd.len() as u64).map(|other| other != item).collect();
        assert_eq!(hits(&mut clients[one]).await, expected, "{tag:?}");
        cluster.tells_the_truth(item, &paths[item as usize]).await;
        // For the next round; only one of them was lost.
        for path in &paths {
            is_soon_a_hit(&mut clients[one], path).await;
            is_soon_a_hit(&mut clients[other], path).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_with_a_thousand_tags_passes_and_is_not_stored() {
    let cluster = setup().nodes(1).start().await;
    let mut client = cluster.nodes[0].client().await;
    is_soon_a_hit(&mut client, "/tagged/1?tags=62").await;
    let entries = cluster.entries();
    for tags in [63, 1000, 10_000] {
        let fetches = cluster.database.fetches();
        for _ in 0..5 {
            let answer = client.get(&format!("/tagged/1?tags={tags}")).await;
            assert_eq!(answer.version(), Some(1), "{tags}: {answer:?}");
            assert!(
                !answer.is_hit() && !answer.is_stored(),
                "{tags}: {answer:?}"
            );
        }
        assert_eq!(cluster.database.fetches() - fetches, 5, "{tags}");
    }
    assert_eq!(cluster.entries(), entries);
}

/// Invalidations a second, and for how long.
const RATE: u64 = 10_000;
const STORM: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_invalidations_is_bounded_and_what_it_does_not_reach_stays_right() {
    let cluster = setup().nodes(2).start().await;
    let mut clients = cluster.clients().await;
    let pages: Vec<_> = (0..8).map(|item| format!("/page/{item}")).collect();
    cluster.is_warm(&pages).await;
    let memory: Vec<_> = cluster.nodes.iter().map(Node::memory).collect();
    let store = Store::builder()
        .deadline(LONG)
        .connect(&cluster.redis.url());
    let stormy = CacheLayer::new(store.expect("a good URL")).handle();
    let storm = tokio::spawn(storm(stormy));
    let (mut hits, mut asked, mut changes) = (0_u64, 0_u64, 0_u64);
    while !storm.is_finished() {
        let item = changes % 8;
        cluster.database.commit(item);
        clients[0].invalidate(&format!("item/{item}")).await;
        let sure = Instant::now();
        cluster
            .tells_the_truth(item, &format!("/page/{item}"))
            .await;
        assert!(sure.elapsed() < LONG);
        changes += 1;
        for item in 0..8 {
            for client in &mut clients {
                let answer = client.get(&pages[item as usize]).await;
                assert_eq!(answer.version(), Some(cluster.database.version(item)));
                hits += u64::from(answer.is_hit());
                asked += 1;
            }
        }
    }
    let (told, took) = storm.await.expect("a storm that ends");
    // Those that come together are one record.
    let records = match cluster.redis.command(&["XLEN", "keep:log"]) {
        Reply::Integer(records) => records,
        other => panic!("XLEN answers with a number, not {other:?}"),
    };
    let grown = cluster.nodes.iter().zip(&memory);
    let grown: Vec<_> = grown
        .map(|(node, before)| node.memory().saturating_sub(*before) >> 20)
        .collect();
    say(
        "storm",
        format!(
            "{told} invalidations in {took:.1?}, all sure, in {records} records; {changes} changes meanwhile \
             seen by both; {hits} of {asked} answers were hits; the processes grew by {grown:?} MiB"
        ),
    );
    assert_eq!(told, RATE * STORM.as_secs());
    assert!(records < 80_000, "{records} records");
    assert!(grown.iter().all(|mib| *mib < 96), "{grown:?} MiB");
    eventually(LONG, async || {
        cluster.nodes[1]
            .client()
            .await
            .get("/page/1")
            .await
            .is_hit()
    })
    .await;
}

/// As many invalidations as were ordered, each of a tag of its own, awaited; how many, and how long it
/// took.
async fn storm(handle: CacheHandle) -> (u64, Duration) {
    let start = Instant::now();
    let told = Arc::new(AtomicU64::new(0));
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    let ticks = STORM.as_millis() / TICK.as_millis();
    let each = RATE * STORM.as_secs() / ticks as u64;
    for number in 0..ticks as u64 {
        tick.tick().await;
        for one in 0..each {
            let (handle, told) = (handle.clone(), told.clone());
            under_way.spawn(async move {
                let tag = Tag::of("storm", number * each + one);
                handle
                    .invalidate([tag], Mode::Hard)
                    .await
                    .expect("a server that answers");
                told.fetch_add(1, Ordering::SeqCst);
            });
        }
    }
    while let Some(ended) = under_way.join_next().await {
        ended.expect("it is told");
    }
    (told.load(Ordering::SeqCst), start.elapsed())
}

const TICK: Duration = Duration::from_millis(10);
