//! Cold keys: how often the database is asked, and who goes on when the one who asks is killed.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tower_keep_cluster::{Cluster, LONG, Node};
use tower_keep_test_support::eventually;

use crate::{say, setup};

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

/// Asks all processes for cold pages and values; the database must be asked `fetches` times for each.
async fn ask_all(cluster: &Cluster, fetches: usize) {
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
        is_fetching(cluster, fetches).await;
        let opened = Instant::now();
        cluster.database.gate().open();
        let mut times = [opened; NODES];
        let mut first = [None; NODES];
        while let Some(answer) = asked.join_next().await {
            let (node, version, at) = answer.expect("an answer");
            assert_eq!(version, 1, "{path}");
            times[node] = times[node].max(at);
            first[node] = Some(first[node].map_or(at, |first: Instant| first.min(at)));
        }
        assert_eq!(cluster.database.fetches() - before, fetches, "{path}");
        let first = first.map(|at| at.expect("answers") - opened);
        let last = times.map(|at| at - opened);
        say(
            path,
            format!(
                "{fetches} fetches; after the database answered, the first of each process were answered \
                 within {first:.1?}, the last within {last:.1?}"
            ),
        );
    }
}

/// How long a process that died may be waited for.
const LEASE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn of_three_processes_with_a_hundred_cold_requests_each_asks_the_database_once() {
    ask_all(&setup().nodes(NODES).start().await, NODES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_lease_three_processes_with_a_hundred_cold_requests_each_ask_the_database_once_in_all()
 {
    let cluster = setup().nodes(NODES).option("--lease", LEASE.as_millis());
    let cluster = cluster.start().await;
    // Until it knows the log a process does not share what it fetches.
    cluster.is_warm(&["/page/0".to_owned()]).await;
    ask_all(&cluster, 1).await;
}

/// Kills the process that fetches while others want the same; how long they then wait.
async fn kill_the_one_who_fetches(mut cluster: Cluster) -> Duration {
    let mut longest = Duration::ZERO;
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
        let took = last - killed;
        say(
            path,
            format!("another process answered {took:.1?} after the kill"),
        );
        longest = longest.max(took);
        cluster.nodes[0].restart();
        cluster.is_warm(&["/page/0".to_owned()]).await;
    }
    longest
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_process_that_fetches_is_killed_another_one_answers() {
    kill_the_one_who_fetches(setup().nodes(2).start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_process_that_has_the_lease_is_killed_another_one_takes_over_within_it() {
    let cluster = setup().nodes(2).option("--lease", LEASE.as_millis());
    let cluster = cluster.start().await;
    cluster.is_warm(&["/page/0".to_owned()]).await;
    let longest = kill_the_one_who_fetches(cluster).await;
    assert!(longest < LEASE + SLACK, "{longest:?}");
}

/// What a busy machine may add; the patience, after which everybody would go on alone, is far longer.
const SLACK: Duration = Duration::from_secs(4);

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
