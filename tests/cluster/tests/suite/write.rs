//! Changes by a process that dies between the commit and its record.

use std::time::Instant;

use tower_keep_cluster::{Cluster, LONG, app::DOUBT_LEASE};
use tower_keep_test_support::eventually;

use crate::{say, setup};

/// Each way in which the application changes something.
const WAYS: [&str; 3] = ["write", "put", "put-announced"];

const PATHS: [&str; 3] = ["/page/1", "/second/1", "/object/1"];

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_between_the_commit_and_its_record_leaves_nothing_stale_and_no_doubt_for_long() {
    let mut cluster = setup().nodes(2).start().await;
    cluster
        .is_warm(&["/page/1", "/second/1"].map(str::to_owned))
        .await;
    let mut reader = cluster.nodes[1].client().await;
    assert_eq!(reader.version("/object/1").await, 1);
    cluster.database.commits().close();
    let mut writer = cluster.nodes[0].client().await;
    let writing = tokio::spawn(async move { writer.try_write(1).await });
    eventually(LONG, async || cluster.database.version(1) == 2).await;
    // Committed, and not told; the doubt was told before, and may be on its way for a millisecond.
    for path in PATHS {
        cluster.tells_the_truth(1, path).await;
    }
    let reads_only_the_new = async |reader: &mut tower_keep_cluster::Client| {
        for path in PATHS {
            assert_eq!(reader.version(path).await, 2, "{path}");
        }
    };
    for _ in 0..50 {
        reads_only_the_new(&mut reader).await;
    }
    let killed = Instant::now();
    cluster.nodes[0].kill();
    assert_eq!(writing.await.expect("an end"), None, "it was killed");
    cluster.database.commits().open();
    let is_hit = async || {
        let mut reader = cluster.nodes[1].client().await;
        reads_only_the_new(&mut reader).await;
        reader.get(PATHS[0]).await.is_hit()
    };
    eventually(LONG, is_hit).await;
    let took = killed.elapsed();
    say(
        "cached again",
        format!("{took:.1?} after the kill; the lease is {DOUBT_LEASE:?}"),
    );
    cluster.nodes[0].restart();
    for path in PATHS {
        cluster.tells_the_truth(1, path).await;
    }
    reads_only_the_new(&mut reader).await;
}

/// What process 1 shows of item 1, if that is `version` wherever it is looked for.
async fn shows_only(cluster: &Cluster, version: u64) -> bool {
    let mut reader = cluster.nodes[1].client().await;
    for path in PATHS {
        if reader.version(path).await != version {
            return false;
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_strict_reader_may_still_be_shown_after_a_write_was_not_told() {
    for way in WAYS {
        let cluster = setup().nodes(2).flag("--strict").start().await;
        cluster
            .is_warm(&["/page/1", "/second/1"].map(str::to_owned))
            .await;
        assert!(shows_only(&cluster, 1).await);
        let mut writer = cluster.nodes[0].client().await;
        let changes = async |writer: &mut tower_keep_cluster::Client| {
            let told = writer.try_change(way, 1).await;
            (told, cluster.database.version(1))
        };
        cluster.nodes[0].proxy().refuse().await;
        // Made, and it cannot be written: nobody else knows.
        assert_eq!(changes(&mut writer).await, (None, 2), "{way}");
        assert!(shows_only(&cluster, 1).await, "{way}");
        cluster.nodes[0].proxy().resume().await;
        // It is written now, whoever asks; and what is told from here on is known to all who ask after it.
        eventually(LONG, async || shows_only(&cluster, 2).await).await;
        let is_told = async || {
            let (told, version) = changes(&mut cluster.nodes[0].client().await).await;
            if let Some(told) = told {
                assert_eq!(told, version);
                assert!(shows_only(&cluster, version).await, "{way}");
            }
            told.is_some()
        };
        eventually(LONG, is_told).await;
    }
}
