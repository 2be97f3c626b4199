//! A log on which records come faster than a process far away can ask for its end.

use std::time::Duration;

use tokio::task::JoinSet;
use tower_keep_store::{Mode, Store, Target, Verdict};
use tower_keep_test_support::{RedisServer, TcpProxy, eventually};

const LONG: Duration = Duration::from_secs(20);

/// One record after another, for as long as this is kept.
fn storm(store: &Store) -> JoinSet<()> {
    let (mut storm, log) = (JoinSet::new(), store.log().clone());
    storm.spawn(async move {
        for i in 0_u32.. {
            let target = Target::new("tag", &(i % 1000).to_be_bytes());
            let appended = log.append(&[target], Mode::Hard, LONG).await;
            appended.expect("written");
        }
    });
    storm
}

/// Whether what is fetched now could be served.
fn serves(store: &Store) -> bool {
    let log = store.log();
    log.is_current() && log.verdict(log.stamp(), &[]) == Verdict::Valid
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_far_from_a_busy_log_serves_all_the_same() {
    let server = RedisServer::start();
    let latency = Duration::from_millis(20);
    let proxy = TcpProxy::builder(server.address()).latency(latency);
    let proxy = proxy.start().await;
    let near = Store::connect(&server.url()).expect("a good URL");
    eventually(LONG, async || near.log().is_current()).await;
    let _storm = storm(&near);
    let far = Store::builder().staleness_bound(Duration::from_millis(500));
    let far = far.connect(&format!("redis://{}", proxy.address()));
    let far = far.expect("a good URL");
    eventually(LONG, async || serves(&far)).await;
    // Whoever is cut off, and has to read the log anew, comes to an end of it too.
    proxy.hang().await;
    server.command(&["XTRIM", "keep:log", "MAXLEN", "1"]);
    eventually(LONG, async || !far.log().is_current()).await;
    proxy.resume().await;
    eventually(LONG, async || serves(&far)).await;
}
