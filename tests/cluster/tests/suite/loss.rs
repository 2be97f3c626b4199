//! What Redis may lose, or lose all of: it costs misses, and never brings back what was invalidated.

use tokio::task::JoinSet;
use tower_keep_cache::{CacheLayer, Tag};
use tower_keep_cluster::{Client, Cluster, LONG};
use tower_keep_store::{Mode, Store};
use tower_keep_test_support::{RedisServer, eventually};

use crate::setup;

const ITEMS: u64 = 12;

/// Both kinds of pages, and values.
fn paths(item: u64) -> [String; 3] {
    ["page", "second", "object"].map(|kind| format!("/{kind}/{item}"))
}

fn pages() -> Vec<String> {
    (0..ITEMS)
        .flat_map(|item| paths(item)[..2].to_vec())
        .collect()
}

/// Two processes in whose every level old entries lie.
async fn filled() -> Cluster {
    let cluster = setup().nodes(2).items(ITEMS as usize).start().await;
    prepare(&cluster, &mut cluster.clients().await).await;
    cluster
}

/// The keys of all that is no entry.
fn metadata(cluster: &Cluster) -> Vec<String> {
    let is_entry = |key: &String| key.starts_with("keep:c:") || key.starts_with("keep:o:");
    let keys = cluster.keys().into_iter();
    let metadata: Vec<_> = keys.filter(|key| !is_entry(key)).collect();
    assert!(metadata.contains(&"keep:log".to_owned()), "{metadata:?}");
    metadata
}

/// Fills all levels, and invalidates what is filled in part: old entries lie everywhere.
async fn prepare(cluster: &Cluster, clients: &mut [Client]) {
    for _ in 0..3 {
        for item in 0..ITEMS {
            for client in &mut *clients {
                for path in paths(item) {
                    client.version(&path).await;
                }
            }
        }
        for item in 0..ITEMS / 2 {
            cluster.database.commit(item);
            let through = item as usize % clients.len();
            clients[through].invalidate(&format!("item/{item}")).await;
        }
        for item in 0..ITEMS / 2 {
            for path in paths(item) {
                cluster.tells_the_truth(item, &path).await;
            }
        }
    }
}

/// Everybody shows what the database has, again and again.
async fn only_the_truth(cluster: &Cluster, clients: &mut [Client], after: &str) {
    for round in 0..20 {
        for item in 0..ITEMS {
            let truth = cluster.database.version(item);
            for (node, client) in clients.iter_mut().enumerate() {
                for path in paths(item) {
                    let shown = client.version(&path).await;
                    assert_eq!(
                        shown, truth,
                        "{path} by {node} in round {round} after {after}"
                    );
                }
            }
        }
    }
}

/// What is lost costs misses; then all is cached again, and invalidations are heard.
async fn costs_only_misses(cluster: &Cluster, after: &str) {
    let mut clients = cluster.clients().await;
    only_the_truth(cluster, &mut clients, after).await;
    cluster.is_warm(&pages()).await;
    prepare(cluster, &mut clients).await;
    only_the_truth(cluster, &mut clients, "what followed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_key_that_is_evicted_costs_only_misses() {
    let cluster = filled().await;
    for key in metadata(&cluster) {
        cluster.redis.command(&["DEL", &key]);
        costs_only_misses(&cluster, &format!("{key} was lost")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_metadata_lost_at_once_and_everything_lost_cost_only_misses() {
    let cluster = filled().await;
    for key in metadata(&cluster) {
        cluster.redis.command(&["DEL", &key]);
    }
    costs_only_misses(&cluster, "the metadata was lost").await;
    cluster.redis.command(&["FLUSHALL"]);
    costs_only_misses(&cluster, "FLUSHALL").await;
    cluster.redis.command(&["XTRIM", "keep:log", "MAXLEN", "0"]);
    costs_only_misses(&cluster, "the log was emptied").await;
}

/// Writes records until a process has written a checkpoint.
async fn write_a_checkpoint(cluster: &Cluster) {
    let mut writers = JoinSet::new();
    // Invalidations that come together are one record: several who each wait for their own.
    for writer in 0..4 {
        let store = Store::builder().deadline(LONG);
        let store = store.connect(&cluster.redis.url()).expect("a good URL");
        writers.spawn(async move {
            let handle = CacheLayer::new(store).handle();
            for number in 0..5_000 {
                let tag = Tag::of("nobody's", format!("{writer} {number}"));
                let told = handle.invalidate([tag], Mode::Hard).await;
                told.expect("a server that answers");
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.expect("all is told");
    }
    let is_there = async || cluster.keys().iter().any(|key| key == CHECKPOINT);
    eventually(LONG, is_there).await;
}

const CHECKPOINT: &str = "keep:log:checkpoint";

#[tokio::test(flavor = "multi_thread")]
async fn processes_begin_with_a_checkpoint_and_one_that_is_evicted_or_outlives_its_log_costs_only_misses()
 {
    let mut cluster = filled().await;
    write_a_checkpoint(&cluster).await;
    let evictions: [&[&str]; 3] = [&[], &["keep:log"], &[CHECKPOINT]];
    for evicted in evictions {
        prepare(&cluster, &mut cluster.clients().await).await;
        for key in evicted {
            cluster.redis.command(&["DEL", key]);
        }
        cluster.nodes[0].restart();
        let after = format!("{evicted:?} was lost and a process began");
        costs_only_misses(&cluster, &after).await;
    }
}

/// All processes' connections end, and lead to another server.
async fn fail_over(cluster: &Cluster, to: &RedisServer, after: &str) {
    for node in &cluster.nodes {
        node.proxy().lead_to(to.address()).await;
    }
    costs_only_misses(cluster, after).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fail_over_to_an_empty_replica_costs_only_misses() {
    let cluster = filled().await;
    fail_over(
        &cluster,
        &cluster.standby,
        "a fail-over to an empty replica",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fail_back_to_a_master_that_slept_meanwhile_costs_only_misses() {
    let cluster = filled().await;
    fail_over(
        &cluster,
        &cluster.standby,
        "a fail-over to an empty replica",
    )
    .await;
    fail_over(&cluster, &cluster.redis, "a fail-back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_on_what_others_left_behind_show_only_the_truth() {
    let mut cluster = filled().await;
    for node in &mut cluster.nodes {
        node.restart();
    }
    costs_only_misses(&cluster, "all processes were killed").await;
    cluster.redis.command(&["DEL", "keep:log"]);
    for node in &mut cluster.nodes {
        node.restart();
    }
    costs_only_misses(&cluster, "and the log with them").await;
}
