//! What things cost, by Redis' own count.

use tower_keep_cluster::{Cluster, LONG};
use tower_keep_test_support::eventually;

use crate::setup;

const ITEMS: u64 = 200;

/// Commands but for what processes say when nobody asks anything.
fn commands(cluster: &Cluster) -> Vec<(String, u64)> {
    let stats = cluster.redis.command_stats().into_iter();
    stats
        .filter(|(name, _)| !UPKEEP.contains(&name.as_str()))
        .collect()
}

/// The log is followed by one blocking read, and its end compared four times a second by a script.
const UPKEEP: [&str; 10] = [
    "config|resetstat",
    "evalsha",
    "info",
    "keys",
    "xread",
    "xrevrange",
    "pexpire",
    "ping",
    "hello",
    "client|setinfo",
];

async fn filled(kind: &str) -> Cluster {
    let cluster = setup().nodes(2).items(ITEMS as usize).start().await;
    let is_filled = async || {
        let mut client = cluster.nodes[0].client().await;
        for item in 0..ITEMS {
            client.version(&format!("/{kind}/{item}")).await;
        }
        cluster.entries() as u64 == ITEMS
    };
    eventually(LONG, is_filled).await;
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_of_the_second_level_is_one_get() {
    for kind in ["page", "object"] {
        let cluster = filled(kind).await;
        let fetches = cluster.database.fetches();
        let mut other = cluster.nodes[1].client().await;
        // It finds the log current, and what the other process has stored.
        let warm = async || {
            cluster.nodes[1]
                .client()
                .await
                .version(&format!("/{kind}/0"))
                .await
                == 1
        };
        eventually(LONG, warm).await;
        let fetches = cluster.database.fetches() - fetches;
        assert!(fetches <= 1, "{fetches}");
        let fetches = cluster.database.fetches();
        cluster.redis.reset_stats();
        for item in 1..ITEMS {
            other.version(&format!("/{kind}/{item}")).await;
        }
        assert_eq!(
            commands(&cluster),
            [("get".to_owned(), ITEMS - 1)],
            "{kind}"
        );
        // And none of the first.
        for item in 1..ITEMS {
            other.version(&format!("/{kind}/{item}")).await;
        }
        assert_eq!(
            commands(&cluster),
            [("get".to_owned(), ITEMS - 1)],
            "{kind}"
        );
        assert_eq!(cluster.database.fetches(), fetches, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_is_one_record_whatever_it_reaches() {
    let cluster = filled("page").await;
    let mut client = cluster.nodes[0].client().await;
    for what in [
        "item/1",
        "group/2",
        "class/red",
        "everything/",
        "page/3",
        "object/4",
        "tag/none",
    ] {
        cluster.redis.reset_stats();
        client.invalidate(what).await;
        assert_eq!(commands(&cluster), [("xadd".to_owned(), 1)], "{what}");
    }
    assert_eq!(
        cluster.entries() as u64,
        ITEMS,
        "nothing is deleted to be invalid"
    );
}
