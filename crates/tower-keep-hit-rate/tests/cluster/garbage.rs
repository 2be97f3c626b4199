//! What others may have written where snapshots are.

use tower_keep_store::Outcome;
use tower_keep_test_support::{RedisServer, eventually};

use crate::tools::{LONG, OFTEN, Process, keys, number};

/// Two processes that know of each other, and where they tell.
async fn two(server: &RedisServer) -> ([Process; 2], [String; 2]) {
    let [mut one, other] = [(); 2].map(|()| Process::on(&server.url(), OFTEN));
    one.count("a", Outcome::Hit, 7).await;
    eventually(LONG, async || other.sum("a") == 7).await;
    let keys = keys(server).expect("they have told");
    ([one, other], keys)
}

/// Both keys at once, as a hostile process would.
fn write(server: &RedisServer, keys: &[String; 2], script: &str) {
    let script = format!("{script} return 'done'");
    let reply = server.command(&["EVAL", &script, "2", &keys[0], &keys[1]]);
    assert_eq!(reply.text().as_deref(), Some("done"), "{reply:?}");
}

#[tokio::test]
async fn snapshots_that_cannot_be_read_are_left_out_and_counted() {
    let server = RedisServer::start();
    let ([mut one, other], keys) = two(&server).await;
    let hostile = "
        local time = redis.call('TIME')
        for name, snapshot in pairs({
            ['00000000000000f1'] = string.rep('0', 16) .. '\\2\\23\\0\\0\\0\\0',
            ['00000000000000f2'] = string.rep('0', 16) .. '\\1\\23\\0\\0',
            ['00000000000000f3'] = string.rep('0', 16),
            ['00000000000000f4'] = 'x',
            ['00000000000000f5'] = string.rep('x', 1000000),
            ['no name'] = 'x',
            ['no hexadecimal  '] = string.rep('0', 16) .. '\\1',
        }) do
            redis.call('HSET', KEYS[1], name, snapshot)
            redis.call('ZADD', KEYS[2], time[1] * 1000, name)
        end";
    write(&server, &keys, hostile);
    let is_left_out = async || {
        let cluster = other.cluster();
        cluster.ignored == 7 && cluster.processes.len() == 2 && other.sum("a") == 7
    };
    eventually(LONG, is_left_out).await;
    one.count("a", Outcome::Hit, 1).await;
    eventually(LONG, async || other.sum("a") == 8).await;
}

#[tokio::test]
async fn keys_of_another_kind_or_shape_are_made_anew() {
    let server = RedisServer::start();
    let ([mut one, other], keys) = two(&server).await;
    for (sum, script) in (8..).zip(SHAPES) {
        write(&server, &keys, script);
        one.count("a", Outcome::Hit, 1).await;
        let is_well = async || {
            let cluster = other.cluster();
            other.sum("a") == sum && cluster.processes.len() == 2 && cluster.ignored == 0
        };
        eventually(LONG, is_well).await;
        assert!(
            number(&server.command(&["HLEN", &keys[0]])) <= 2,
            "{script}"
        );
        assert!(number(&server.command(&["PTTL", &keys[0]])) > 0, "{script}");
        assert!(number(&server.command(&["PTTL", &keys[1]])) > 0, "{script}");
    }
}

/// What may be done to the two keys.
const SHAPES: [&str; 9] = [
    "redis.call('SET', KEYS[1], 'x')",
    "redis.call('SET', KEYS[2], 'x')",
    "redis.call('DEL', KEYS[1]) redis.call('ZADD', KEYS[1], 1, 'x')",
    "redis.call('DEL', KEYS[1])",
    "redis.call('DEL', KEYS[2])",
    "for i = 1, 100 do redis.call('HSET', KEYS[1], i, i) end",
    "for i = 1, 100000 do redis.call('HSET', KEYS[1], i, i) end",
    "for i = 1, 100000 do redis.call('ZADD', KEYS[2], 1e15 + i, i) end",
    "for i = 1, 300 do redis.call('HSET', KEYS[1], i, i) redis.call('ZADD', KEYS[2], 'inf', i) end",
];
