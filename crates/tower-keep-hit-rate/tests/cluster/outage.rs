//! The server goes and comes.

use tower_keep_store::Outcome;
use tower_keep_test_support::{RedisServer, eventually};

use crate::tools::{LONG, OFTEN, Process};

#[tokio::test]
async fn while_the_server_is_gone_the_view_is_an_old_one_and_says_so() {
    let mut server = RedisServer::start();
    let [mut one, mut other] = [(); 2].map(|()| Process::on(&server.url(), OFTEN));
    other.count("a", Outcome::Hit, 7).await;
    eventually(LONG, async || one.sum("a") == 7).await;
    server.kill();
    eventually(LONG, async || one.cluster().unreachable_seconds.is_some()).await;
    one.count("a", Outcome::Miss, 3).await;
    other.count("a", Outcome::Hit, 90).await;
    let cluster = one.cluster();
    // This process as it is, the other as it was.
    assert_eq!((one.sum("a"), other.sum("a")), (10, 97));
    assert_eq!(cluster.processes.len(), 2);
    let age = cluster.view_age_seconds.expect("it was read");
    assert!(
        cluster.processes[1].age_seconds >= age.min(0.001),
        "{cluster:?}"
    );
    server.restart();
    for process in [&one, &other] {
        eventually(LONG, async || process.sum("a") == 100).await;
        eventually(LONG, async || {
            process.cluster().unreachable_seconds.is_none()
        })
        .await;
    }
}

#[tokio::test]
async fn a_process_that_starts_without_a_server_is_alone_until_it_comes() {
    let mut server = RedisServer::start();
    let url = server.url();
    server.kill();
    let [mut one, other] = [(); 2].map(|()| Process::on(&url, OFTEN));
    one.count("a", Outcome::Hit, 7).await;
    eventually(LONG, async || one.cluster().unreachable_seconds.is_some()).await;
    let cluster = one.cluster();
    assert_eq!(
        (cluster.processes.len(), cluster.view_age_seconds),
        (1, None)
    );
    server.restart();
    eventually(LONG, async || other.sum("a") == 7).await;
}
