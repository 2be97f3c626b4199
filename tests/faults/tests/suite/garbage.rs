//! Values in Redis that are not what they were, under load.

use tower_keep_faults::{Hiring, LONG, Load, RECOVERY, Random, SLACK, Site, caching_returns};
use tower_keep_test_support::{RedisServer, Reply, eventually, seed};

use crate::say;

/// Spoils one key in a way that the numbers choose; leaves its time to live.
const SPOIL: &str = "
    local key, how, at, bytes = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
    bytes = string.gsub(bytes, '..', function(hex) return string.char(tonumber(hex, 16)) end)
    if redis.call('TYPE', key).ok ~= 'string' then return 0 end
    local value = redis.call('GET', key)
    local ttl = redis.call('PTTL', key)
    local at = at % math.max(#value, 1)
    if how == 0 then redis.call('SETRANGE', key, at, bytes)
    elseif how == 1 then redis.call('SETRANGE', key, #value, bytes)
    elseif how == 2 then redis.call('SET', key, string.sub(value, 1, at), 'KEEPTTL')
    elseif how == 3 then redis.call('SET', key, bytes, 'KEEPTTL')
    elseif how == 4 then redis.call('SET', key, string.rep(bytes, 5000), 'KEEPTTL')
    elseif how == 5 then redis.call('SET', key, '', 'KEEPTTL')
    else
        redis.call('DEL', key)
        if how == 6 then redis.call('RPUSH', key, bytes)
        elseif how == 7 then redis.call('HSET', key, bytes, bytes)
        elseif how == 8 then redis.call('SADD', key, bytes)
        else redis.call('XADD', key, '*', bytes, bytes) end
        redis.call('PEXPIRE', key, math.max(ttl, 1000))
    end
    return 1";

fn entries(redis: &RedisServer) -> Vec<String> {
    let mut names = Vec::new();
    for pattern in ["keep:c:*", "keep:o:*"] {
        let Reply::Array(Some(keys)) = redis.command(&["KEYS", pattern]) else {
            panic!("KEYS answers with a list");
        };
        names.extend(keys.iter().filter_map(Reply::text));
    }
    names
}

/// Spoils every entry there is; returns how many.
fn spoil_all(redis: &RedisServer, random: &mut Random) -> usize {
    let mut spoilt = 0;
    for key in entries(redis) {
        let how = random.below(10).to_string();
        let at = random.below(1 << 20).to_string();
        let length = 1 + random.below(12);
        let bytes: String = (0..length)
            .map(|_| format!("{:02x}", random.below(256)))
            .collect();
        let reply = redis.command(&["EVAL", SPOIL, "1", &key, &how, &at, &bytes]);
        spoilt += usize::from(reply == Reply::Integer(1));
    }
    spoilt
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_place_of_entries_is_never_answered() {
    let seed = seed();
    let mut random = Random::new(seed);
    let redis = RedisServer::start();
    let hiring = Hiring::new();
    let site = Site::on(&hiring, &redis.url()).await;
    let ledger = Load::ledger(&hiring);
    let uncached = Load::uncached(site.address(), &ledger, seed).await;
    let load = Load::start(site.address(), &ledger, seed).await;
    load.goes_on(200).await;
    let mut spoilt = 0;
    for round in 0..8 {
        spoilt += spoil_all(&redis, &mut random);
        // One whose first level is empty: it reads what was spoilt.
        let newcomer = Site::on(&hiring, &redis.url()).await;
        eventually(LONG, async || newcomer.store().log().is_current()).await;
        let readers = Load::readers(newcomer.address(), &ledger, seed + round, SLACK).await;
        readers.goes_on(60).await;
        spoilt += spoil_all(&redis, &mut random);
        readers.goes_on(60).await;
        readers.finish().await.assert_bounded_by(&uncached);
    }
    let timings = load.finish().await;
    say(&format!("{spoilt} spoilt entries"), &timings);
    timings.assert_bounded_by(&uncached);
    assert!(spoilt > 40, "only {spoilt} entries were spoilt");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_place_of_the_log_makes_no_answer_wrong() {
    let seed = seed();
    let redis = RedisServer::start();
    let hiring = Hiring::new();
    let site = Site::on(&hiring, &redis.url()).await;
    let ledger = Load::ledger(&hiring);
    let uncached = Load::uncached(site.address(), &ledger, seed).await;
    let load = Load::start(site.address(), &ledger, seed).await;
    load.goes_on(100).await;
    let spoil: [&[&str]; 4] = [
        &["SET", "keep:log", "not a stream"],
        &["DEL", "keep:log"],
        &["XTRIM", "keep:log", "MAXLEN", "0"],
        &["XADD", "keep:log", "9000000000-0", "x", "y"],
    ];
    for command in spoil {
        redis.command(command);
        load.goes_on(100).await;
    }
    redis.command(&["DEL", "keep:log"]);
    caching_returns(&mut site.client().await, &redis, RECOVERY).await;
    let timings = load.finish().await;
    say("a spoilt log", &timings);
    timings.assert_bounded_by(&uncached);
}
