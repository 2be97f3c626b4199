use std::time::Duration;

use redis::{AsyncCommands, RedisResult, Script, aio::MultiplexedConnection};
use tokio::task::JoinHandle;
use tower_keep_test_support::RedisServer;

/// Takes the look at positions away from the cache, without a switch in it: rewrites every entry in Redis
/// so that it says that its fetch began at the end of all logs. What a slow fetch stores after it was
/// invalidated is then served, by whoever finds it there.
///
/// So the schedule is seen to find what it looks for.
#[derive(Debug)]
pub struct Unchecked(JoinHandle<()>);

impl Unchecked {
    /// Rewrites what comes, until it is dropped.
    ///
    /// # Panics
    ///
    /// If the server cannot be reached.
    pub async fn start(redis: &RedisServer) -> Self {
        let client = redis::Client::open(redis.url()).expect("a good URL");
        let connection = client.get_multiplexed_async_connection().await;
        let mut connection = connection.expect("a server");
        Self(tokio::spawn(async move {
            loop {
                if rewrite_all(&mut connection).await.is_err()
                    // A server that was killed comes back.
                    && let Ok(new) = client.get_multiplexed_async_connection().await
                {
                    connection = new;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }))
    }
}

impl Drop for Unchecked {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn rewrite_all(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let replace = Script::new(REPLACE);
    let names: Vec<String> = connection.keys("keep:[co]:*").await?;
    if names.is_empty() {
        return Ok(());
    }
    let records: Vec<Option<Vec<u8>>> = connection.mget(&names).await?;
    for (name, record) in names.iter().zip(records) {
        let Some(record) = record else { continue };
        if let Some(rewritten) = at_the_end(&record) {
            let mut replace = replace.key(name);
            replace.arg(&record).arg(rewritten);
            let () = replace.invoke_async(connection).await?;
        }
    }
    Ok(())
}

/// The same record with the last of all positions; nothing if it has that.
fn at_the_end(record: &[u8]) -> Option<Vec<u8>> {
    assert_eq!(
        record[..3],
        *b"tk\x02",
        "the format of entries has changed: where does the position stand now?"
    );
    let mut record = record.to_vec();
    let position = &mut record[POSITION_AT..POSITION_AT + 8];
    if *position == [0xff; 8] {
        return None;
    }
    position.fill(0xff);
    let sum = crc32fast::hash(&record[SUMMED_FROM..]);
    record[SUM_AT..SUMMED_FROM].copy_from_slice(&sum.to_be_bytes());
    Some(record)
}

/// Only if it is still the same: it must not bring back what was there before.
const REPLACE: &str = "
    if redis.call('GET', KEYS[1]) == ARGV[1] then
      redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
    end";

const PAUSE: Duration = Duration::from_millis(2);

/// Where the sum stands, and from where on it sums up.
const SUM_AT: usize = 4;
const SUMMED_FROM: usize = 8;

/// Behind the sum, five times and the epoch.
const POSITION_AT: usize = SUMMED_FROM + 6 * 8;
