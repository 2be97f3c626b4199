//! Steps of one turn share a write.

use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tower_keep_store::{Key, Store};
use tower_keep_test_support::RedisServer;

/// One worker: what is ready together is run one after the other, each with what it wakes.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn steps_that_are_ready_together_go_out_together() {
    let server = RedisServer::start();
    for url in [
        server.url(),
        format!("unix://{}", server.socket_path().display()),
    ] {
        let store = Store::builder().deadline(LONG).connect(&url);
        let store = store.expect("a good URL");
        store.ping().await.expect("answers");
        let before = reads(&server);
        // All of them ready at once, and none is run before: this is the only worker.
        let spawning = tokio::spawn(async move {
            let mut steps = JoinSet::new();
            for step in 0..STEPS {
                let store = store.clone();
                let key = Key::new("t", &step.to_be_bytes());
                steps.spawn(async move { store.get(&key).await });
            }
            steps
        });
        let answers = spawning.await.expect("no panic").join_all().await;
        let is_absent = |answer: &Result<Option<Bytes>, _>| matches!(answer, Ok(None));
        assert!(answers.iter().all(is_absent), "{answers:?}");
        let reads = reads(&server) - before;
        assert!(
            reads <= STEPS / 4,
            "{reads} reads of the server for {STEPS} steps"
        );
    }
}

/// How often the server has read from its sockets.
fn reads(server: &RedisServer) -> u64 {
    let stats = server.command(&["INFO", "stats"]).text().expect("text");
    let count = stats
        .lines()
        .find_map(|line| line.strip_prefix("total_reads_processed:"));
    count.and_then(|count| count.parse().ok()).expect("a count")
}

const STEPS: u64 = 64;
const LONG: Duration = Duration::from_secs(10);
