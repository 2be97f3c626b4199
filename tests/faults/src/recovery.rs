use std::time::{Duration, Instant};

use tokio::task::block_in_place;
use tower_keep_test_support::{RedisServer, Reply, holds_within};

use crate::Client;

/// Starts a killed server again, and returns with its first answer.
pub fn restart(server: &mut RedisServer) {
    block_in_place(|| server.restart());
}

/// Lets a paused server go on, and returns with its first answer.
///
/// # Panics
///
/// If it does not answer.
pub fn resume(server: &mut RedisServer) {
    server.resume();
    let reply = block_in_place(|| server.command(&["PING"]));
    assert_eq!(reply, Reply::Status("PONG".to_owned()));
}

/// Checks that within `bound` this process stores in Redis and answers from its cache again; returns
/// how long that took.
///
/// Each round asks for a page that nobody has asked for, twice: the first answer has to reach the
/// server, the second has to be a hit.
///
/// # Panics
///
/// If it does not.
pub async fn caching_returns(
    client: &mut Client,
    server: &RedisServer,
    bound: Duration,
) -> Duration {
    let start = Instant::now();
    let before = block_in_place(|| stored(server));
    for page in 1.. {
        let path = format!("/api/candidates?page={page}&per_page=3");
        client.get(&path).await;
        let is_hit = client.get(&path).await.is_hit();
        let reached = async || block_in_place(|| stored(server)) > before;
        if is_hit && holds_within(Duration::from_millis(100), reached).await {
            return start.elapsed();
        }
        assert!(
            start.elapsed() < bound,
            "after {bound:?} there is no caching yet: hit: {is_hit}, {page} rounds"
        );
    }
    unreachable!("pages do not run out")
}

/// Checks that what one process computes another finds in Redis; returns how many it asked for until
/// it did. Nothing else may be stored meanwhile.
///
/// # Panics
///
/// If it does not find any of many, or finds something else.
pub async fn shares(computing: &mut Client, finding: &mut Client, server: &RedisServer) -> usize {
    for page in 1..=MOST_PAGES {
        let before = block_in_place(|| stored(server));
        let path = format!("/api/candidates?page={page}&per_page=2");
        let computed = computing.get(&path).await;
        // The entry is written in the background.
        let reached = async || block_in_place(|| stored(server)) > before;
        let is_stored = holds_within(Duration::from_secs(1), reached).await;
        let found = finding.get(&path).await;
        assert_eq!(found.body, computed.body, "{path}");
        if is_stored && found.is_hit() && found.queries() == 0 {
            return page;
        }
    }
    panic!("of {MOST_PAGES} pages none was found in Redis");
}

fn stored(server: &RedisServer) -> u64 {
    let stats = server.command_stats();
    stats.get("set").copied().unwrap_or(0)
}

/// A busy machine may miss a deadline now and then, but not so often.
const MOST_PAGES: usize = 20;
