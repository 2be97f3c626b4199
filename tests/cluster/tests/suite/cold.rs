//! Cold keys: how often the database is asked, and who goes on when the one who asks is killed.

use std::time::Instant;

use tokio::task::JoinSet;
use tower_keep_cluster::{Cluster, LONG, Node};
use tower_keep_test_support::eventually;

use crate::{say, setup};

/// How often three processes ask the database for one cold page. Each of them once, whatever the number
/// of requests; one for all needs leases.
const FETCHES: usize = NODES;

const NODES: usize = 3;
const EACH: usize = 100;

/// Starts so many requests to one process, each on a connection of its own; they end with the
/// version, and when it came.
async fn ask(node: &Node, many: usize, path: &str, asked: &mut JoinSet<(usize, u64, Instant)>) {
    for _ in 0..many {
        let mut client = node.client().await;
        let (number, path) = (node.number(), path.to_owned());
        asked.spawn(async move {
            let version = client.version(&path).await;
            (number, version, Instant::now())
        });
    }
}

async fn is_fetching(cluster: &Cluster, many: usize) {
    let waiters = async || cluster.database.gate().waiters() == many;
    eventually(LONG, waiters).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_with_a_hundred_cold_requests_each_ask_the_database_once_each_at_most() {
    let cluster = setup().nodes(NODES).start().await;
    for path in ["/page/1", "/second/2", "/object/3"] {
        let (before, begun) = (cluster.database.fetches(), cluster.begun().await);
        cluster.database.gate().close();
        let mut asked = JoinSet::new();
        for node in &cluster.nodes {
            ask(node, EACH, path, &mut asked).await;
        }
        for (node, begun) in cluster.nodes.iter().zip(begun) {
            node.has_begun(begun + EACH).await;
        }
        is_fetching(&cluster, FETCHES).await;
        let opened = Instant::now();
        cluster.database.gate().open();
        let mut times = [opened; NODES];
        while let Some(answer) = asked.join_next().await {
            let (node, version, at) = answer.expect("an answer");
            assert_eq!(version, 1, "{path}");
            times[node] = times[node].max(at);
        }
        assert_eq!(cluster.database.fetches() - before, FETCHES, "{path}");
        let took = times.map(|at| at - opened);
        say(
            path,
            format!("all of each process were answered within {took:?} of the database"),
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_process_that_fetches_is_killed_another_one_answers() {
    let mut cluster = setup().nodes(2).start().await;
    for (item, path) in [(1, "/page/1"), (2, "/second/2"), (3, "/object/3")] {
        cluster.database.gate().close();
        let mut doomed = cluster.nodes[0].client().await;
        let doomed = tokio::spawn(async move { doomed.try_get(path).await });
        is_fetching(&cluster, 1).await;
        let begun = cluster.begun().await;
        let mut asked = JoinSet::new();
        ask(&cluster.nodes[1], 20, path, &mut asked).await;
        cluster.nodes[1].has_begun(begun[1] + 20).await;
        let killed = Instant::now();
        cluster.nodes[0].kill();
        cluster.database.gate().open();
        let mut last = killed;
        while let Some(answer) = asked.join_next().await {
            let (_, version, at) = answer.expect("an answer");
            assert_eq!(version, cluster.database.version(item));
            last = last.max(at);
        }
        assert!(doomed.await.expect("an end").is_none(), "nobody answered");
        say(
            path,
            format!(
                "another process answered {:?} after the kill",
                last - killed
            ),
        );
        cluster.nodes[0].restart();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_process_that_fetches_is_paused_nobody_hangs() {
    let mut cluster = setup().nodes(2).option("--patience", 500).start().await;
    cluster.database.gate().close();
    let mut slow = cluster.nodes[0].client().await;
    let slow = tokio::spawn(async move { slow.version("/page/1").await });
    is_fetching(&cluster, 1).await;
    cluster.nodes[0].pause();
    cluster.database.gate().open();
    let mut other = cluster.nodes[1].client().await;
    assert_eq!(other.version("/page/1").await, 1);
    // What the paused one brings later must not stand in for what was committed since.
    cluster.database.commit(1);
    other.invalidate("item/1").await;
    cluster.nodes[0].resume();
    assert_eq!(slow.await.expect("an answer"), 1, "it was asked before");
    cluster.tells_the_truth(1, "/page/1").await;
    for _ in 0..50 {
        assert_eq!(other.version("/page/1").await, 2);
    }
}
