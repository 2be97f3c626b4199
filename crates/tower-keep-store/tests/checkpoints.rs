//! Checkpoints: who comes late or falls behind judges what it can, and refuses what it cannot.

use std::time::Duration;

use tower_keep_store::{Mode, Stamp, Store, Target, Verdict};
use tower_keep_test_support::{RedisServer, Reply, TcpProxy, eventually};

const LONG: Duration = Duration::from_secs(30);
const CHECKPOINT: &str = "keep:log:checkpoint";

fn tag(name: &str) -> Target {
    Target::new("tag", name.as_bytes())
}

async fn connect(url: &str) -> Store {
    let store = Store::connect(url).expect("a good URL");
    eventually(LONG, async || store.log().is_current()).await;
    store
}

async fn invalidate(store: &Store, name: &str) -> Stamp {
    let appended = store.log().append(&[tag(name)], Mode::Hard, LONG).await;
    appended.expect("written")
}

fn verdict(store: &Store, stamp: Stamp, name: &str) -> Verdict {
    store.log().verdict(stamp, &[tag(name)])
}

/// So many records that invalidate nothing.
fn fill(server: &RedisServer, records: u32) {
    let script = r"
        local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
        local fields = {}
        for i = 1, #last[2], 2 do fields[last[2][i]] = last[2][i + 1] end
        local position, nonce = tonumber(string.match(last[1], '^%d+')), fields.n
        for i = 1, tonumber(ARGV[1]) do
          local next = struct.pack('>I4I4', ARGV[2] + 0, position + i)
          redis.call('XADD', KEYS[1], string.format('%.0f-0', position + i),
            'e', fields.e, 'p', nonce, 'n', next, 'c', '')
          nonce = next
        end";
    let random = rand();
    server.command(&[
        "EVAL",
        script,
        "1",
        "keep:log",
        &records.to_string(),
        &random,
    ]);
}

/// Another number for each history.
fn rand() -> String {
    use std::hash::{BuildHasher, RandomState};
    (RandomState::new().hash_one(0) as u32).to_string()
}

/// A log whose beginning is known only from a checkpoint; two stamps before an invalidation of `a`, and
/// after it.
async fn with_checkpoint(server: &RedisServer) -> (Store, [Stamp; 2]) {
    let store = connect(&server.url()).await;
    let before = store.log().stamp();
    let after = invalidate(&store, "a").await;
    fill(server, 17_000);
    let is_written = async || server.command(&["EXISTS", CHECKPOINT]) == Reply::Integer(1);
    eventually(LONG, is_written).await;
    server.command(&["XTRIM", "keep:log", "MAXLEN", "1000"]);
    (store, [before, after])
}

/// What is fetched from now on can be used, and invalidated, here and there.
async fn all_is_well(one: &Store, other: &Store) {
    let agree = async || one.log().stamp() == other.log().stamp();
    eventually(LONG, agree).await;
    let stamp = one.log().stamp();
    assert_eq!(verdict(other, stamp, "b"), Verdict::Valid);
    invalidate(one, "b").await;
    let is_heard = async || verdict(other, stamp, "b") == Verdict::Invalid;
    eventually(LONG, is_heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_begins_with_the_checkpoint_and_the_rest_of_the_log() {
    let server = RedisServer::start();
    let (store, [before, after]) = with_checkpoint(&server).await;
    // What is being changed is part of it.
    let ttl = server.command(&["PTTL", CHECKPOINT]);
    assert!(matches!(ttl, Reply::Integer(1..)), "{ttl:?}");
    fill(&server, 100);
    invalidate(&store, "c").await;
    let newcomer = connect(&server.url()).await;
    assert_eq!(verdict(&newcomer, before, "a"), Verdict::Invalid);
    assert_eq!(verdict(&newcomer, before, "b"), Verdict::Valid);
    assert_eq!(verdict(&newcomer, after, "a"), Verdict::Valid);
    assert_eq!(verdict(&newcomer, after, "c"), Verdict::Invalid);
    assert_eq!(newcomer.log().stamp().epoch, after.epoch);
    all_is_well(&store, &newcomer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_doubt_is_part_of_the_checkpoint() {
    let server = RedisServer::start();
    let writer = connect(&server.url()).await;
    let doubt = writer.log().doubt(&[tag("d")], LONG, LONG).await;
    let doubt = doubt.expect("announced");
    let (_store, _) = with_checkpoint(&server).await;
    let newcomer = connect(&server.url()).await;
    let stamp = newcomer.log().stamp();
    assert_eq!(verdict(&newcomer, stamp, "d"), Verdict::Invalid);
    let at = doubt.resolve().await.expect("written");
    let is_over = async || verdict(&newcomer, at, "d") == Verdict::Valid;
    eventually(LONG, is_over).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_is_wrong_costs_only_misses() {
    let server = RedisServer::start();
    let (store, [before, after]) = with_checkpoint(&server).await;
    server.command(&["COPY", CHECKPOINT, "good"]);
    let epoch = after.epoch;
    let damages: [&[&str]; 6] = [
        &["DEL", CHECKPOINT],
        &["SET", CHECKPOINT, "not one"],
        &["SETRANGE", CHECKPOINT, "70", "x"],
        &["APPEND", CHECKPOINT, "x"],
        &["DEL", CHECKPOINT],
        &["LPUSH", CHECKPOINT, "x"],
    ];
    for damage in damages {
        if !damage.contains(&"LPUSH") {
            server.command(&["COPY", "good", CHECKPOINT, "REPLACE"]);
        }
        server.command(damage);
        let newcomer = connect(&server.url()).await;
        for stamp in [before, after] {
            assert_eq!(verdict(&newcomer, stamp, "b"), Verdict::Invalid);
        }
        assert_eq!(newcomer.log().stamp().epoch, epoch, "no gap");
        all_is_well(&store, &newcomer).await;
    }
    // A good one, but the log does not reach back to it.
    server.command(&["COPY", "good", CHECKPOINT, "REPLACE"]);
    server.command(&["XTRIM", "keep:log", "MAXLEN", "1"]);
    let newcomer = connect(&server.url()).await;
    assert_eq!(verdict(&newcomer, before, "b"), Verdict::Invalid);
    assert_eq!(newcomer.log().stamp().epoch, epoch, "no gap");
    all_is_well(&store, &newcomer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_ahead_of_its_log_is_not_used() {
    let server = RedisServer::start();
    let store = connect(&server.url()).await;
    let before = store.log().stamp();
    server.command(&["COPY", "keep:log", "snapshot"]);
    drop(store);
    let (store, _) = with_checkpoint(&server).await;
    // As after a fail-over to a replica that lags: nobody is left who knows better, but the checkpoint.
    drop(store);
    server.command(&["COPY", "snapshot", "keep:log", "REPLACE"]);
    let [one, other] = [connect(&server.url()).await, connect(&server.url()).await];
    assert_eq!(one.log().stamp().epoch, before.epoch);
    all_is_well(&one, &other).await;
    // The same place is reached again, by other records.
    fill(&server, 17_100);
    let newcomer = connect(&server.url()).await;
    all_is_well(&one, &newcomer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_log_or_a_lost_server_begins_anew_whatever_the_checkpoint_says() {
    let server = RedisServer::start();
    let (store, [before, after]) = with_checkpoint(&server).await;
    for loss in [&["DEL", "keep:log"][..], &["FLUSHALL"]] {
        server.command(loss);
        let newcomer = connect(&server.url()).await;
        for stamp in [before, after] {
            assert_eq!(verdict(&newcomer, stamp, "b"), Verdict::Invalid);
            let is_refused = async || verdict(&store, stamp, "b") == Verdict::Invalid;
            eventually(LONG, is_refused).await;
        }
        all_is_well(&store, &newcomer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_falls_behind_a_cut_log_costs_the_others_nothing() {
    let server = RedisServer::start();
    let proxy = TcpProxy::start(server.address()).await;
    let store = connect(&server.url()).await;
    let slow = connect(&format!("redis://{}", proxy.address())).await;
    for with_checkpoint in [false, true] {
        let old = slow.log().stamp();
        proxy.refuse().await;
        invalidate(&store, "a").await;
        let records = if with_checkpoint { 40_000 } else { 300 };
        fill(&server, records);
        let exists = Reply::Integer(with_checkpoint.into());
        let is_written = async || server.command(&["EXISTS", CHECKPOINT]) == exists;
        eventually(LONG, is_written).await;
        let others = invalidate(&store, "c").await;
        server.command(&["XTRIM", "keep:log", "MAXLEN", "100"]);
        proxy.resume().await;
        // It judges when it knows that this is the end.
        let has_caught_up = async || slow.log().stamp() == others && slow.log().is_current();
        eventually(LONG, has_caught_up).await;
        assert_eq!(verdict(&slow, old, "b"), Verdict::Invalid, "who knows?");
        assert_eq!(verdict(&store, old, "b"), Verdict::Valid);
        assert_eq!(verdict(&slow, others, "b"), Verdict::Valid);
        assert_eq!(slow.log().stamp().epoch, old.epoch);
        all_is_well(&store, &slow).await;
    }
}

#[test]
fn an_older_checkpoint_never_replaces_a_newer_one_of_its_epoch() {
    let server = RedisServer::start();
    let script = include_str!("../src/log/shared/checkpoint.lua");
    let write = |epoch: u8, position: u32| {
        let bytes = format!("keepcp 1{epoch:08}{position:08} and the rest");
        server.command(&["EVAL", script, "1", CHECKPOINT, &bytes, "60000"])
    };
    assert_eq!(write(1, 5), Reply::Integer(1));
    assert_eq!(write(1, 4), Reply::Integer(0));
    assert_eq!(write(1, 5), Reply::Integer(0));
    assert_eq!(write(1, 6), Reply::Integer(1));
    assert_eq!(write(2, 1), Reply::Integer(1), "another epoch");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_from_a_snapshot_is_another_one() {
    let mut server = RedisServer::start();
    let store = connect(&server.url()).await;
    let before = store.log().stamp();
    server.command(&["SAVE"]);
    invalidate(&store, "a").await;
    server.kill();
    server.restart();
    assert_eq!(server.command(&["XLEN", "keep:log"]), Reply::Integer(1));
    // The position of the lost record is taken again before anybody can know better.
    fill(&server, 1);
    let is_refused = async || store.log().stamp().epoch != before.epoch;
    eventually(LONG, is_refused).await;
    assert_eq!(verdict(&store, before, "a"), Verdict::Invalid);
    let newcomer = connect(&server.url()).await;
    assert_eq!(verdict(&newcomer, before, "a"), Verdict::Invalid);
    all_is_well(&store, &newcomer).await;
}
