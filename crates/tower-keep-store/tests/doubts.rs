//! Doubts that all processes share: what is being changed is not served anywhere.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use tower_keep_store::{Stamp, Store, StoreError, Target, Verdict};
use tower_keep_test_support::{RedisServer, TcpProxy, eventually};

const LONG: Duration = Duration::from_secs(10);

fn tag(name: &str) -> Target {
    Target::new("tag", name.as_bytes())
}

async fn connect(url: &str) -> Store {
    let store = Store::connect(url).expect("a good URL");
    eventually(LONG, async || store.log().is_current()).await;
    store
}

async fn processes<const N: usize>(server: &RedisServer) -> [Store; N] {
    let mut stores = Vec::new();
    for _ in 0..N {
        stores.push(connect(&server.url()).await);
    }
    stores.try_into().expect("as many as were made")
}

fn verdict(store: &Store, stamp: Stamp, name: &str) -> Verdict {
    store.log().verdict(stamp, &[tag(name)])
}

/// Whether what is fetched now could be served.
fn is_doubted(store: &Store, name: &str) -> bool {
    verdict(store, store.log().stamp(), name) == Verdict::Invalid
}

async fn becomes_doubted(store: &Store, name: &str) {
    eventually(LONG, async || is_doubted(store, name)).await;
}

async fn becomes_certain(store: &Store, name: &str) {
    eventually(LONG, async || !is_doubted(store, name)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_while_it_is_changed_is_never_served() {
    let server = RedisServer::start();
    let [writer, reader] = processes(&server).await;
    let embedded = Store::memory();
    for (writer, reader) in [(&writer, &reader), (&embedded, &embedded)] {
        let before = reader.log().stamp();
        let doubt = writer.log().doubt(&[tag("a")], LONG, LONG).await;
        let doubt = doubt.expect("announced");
        becomes_doubted(reader, "a").await;
        assert!(is_doubted(writer, "a"), "its writer refuses it as well");
        assert!(!is_doubted(reader, "b"));
        let during = reader.log().stamp();
        let at = doubt.resolve().await.expect("written");
        becomes_certain(reader, "a").await;
        assert_eq!(verdict(reader, before, "a"), Verdict::Invalid);
        assert_eq!(verdict(reader, during, "a"), Verdict::Invalid);
        assert_eq!(verdict(reader, at, "a"), Verdict::Valid);
        assert_eq!(verdict(reader, before, "b"), Verdict::Valid);
        assert!(writer.log().only_hit_at(during, at, &[tag("a")]));
    }
}

#[tokio::test]
async fn what_is_fetched_while_it_is_changed_answers_nobody_who_asked_later() {
    let store = Store::memory();
    let log = store.log();
    let doubt = log.doubt(&[tag("a")], LONG, LONG).await.expect("announced");
    let early = log.moment();
    // Committed here, and nothing shows it.
    let late = log.moment();
    let may_answer = |fetched, asked, name| log.may_answer(fetched, asked, &[tag(name)]);
    assert!(!may_answer(early, late, "a"));
    assert!(may_answer(late, early, "a"), "fetched after the question");
    assert!(may_answer(early, late, "b"));
    doubt.resolve().await.expect("embedded");
    assert!(!may_answer(early, late, "a"));
    let (one, other) = (log.moment(), log.moment());
    assert!(may_answer(one, other, "a"), "nothing is in doubt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_hears_of_doubts_and_two_writers_doubt_for_themselves() {
    let server = RedisServer::start();
    let [one, other] = processes(&server).await;
    let first = one.log().doubt(&[tag("a")], LONG, LONG).await;
    let second = other.log().doubt(&[tag("a")], LONG, LONG).await;
    let [newcomer] = processes(&server).await;
    assert!(is_doubted(&newcomer, "a"));
    let resolved = first.expect("announced").resolve().await;
    let at = resolved.expect("written");
    let has_come = async || newcomer.log().stamp().position >= at.position;
    eventually(LONG, has_come).await;
    assert!(is_doubted(&newcomer, "a"), "the other one is at work");
    drop(second);
    becomes_certain(&newcomer, "a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_writers_doubt_ends_with_its_lease_and_hits() {
    let server = RedisServer::start();
    let proxy = TcpProxy::start(server.address()).await;
    let writer = connect(&format!("redis://{}", proxy.address())).await;
    let [one, other] = processes(&server).await;
    let lease = Duration::from_secs(2);
    let doubt = writer.log().doubt(&[tag("a")], lease, LONG).await;
    let doubt = doubt.expect("announced");
    proxy.refuse().await;
    for store in [&one, &other] {
        becomes_doubted(store, "a").await;
    }
    let stamp = one.log().stamp();
    for store in [&one, &other] {
        becomes_certain(store, "a").await;
        assert_eq!(verdict(store, stamp, "a"), Verdict::Invalid);
    }
    assert!(is_doubted(&writer, "a"), "it heard of no end");
    // It was not dead. What it committed late is refused all the same.
    let stamp = one.log().stamp();
    drop(doubt);
    proxy.resume().await;
    let is_hit = async || verdict(&one, stamp, "a") == Verdict::Invalid;
    eventually(LONG, is_hit).await;
    becomes_certain(&writer, "a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doubt_outlives_a_lost_log() {
    let server = RedisServer::start();
    let [writer, reader] = processes(&server).await;
    let doubt = writer.log().doubt(&[tag("a")], LONG, LONG).await;
    let doubt = doubt.expect("announced");
    becomes_doubted(&reader, "a").await;
    let epoch = reader.log().stamp().epoch;
    server.command(&["FLUSHALL"]);
    eventually(LONG, async || reader.log().stamp().epoch != epoch).await;
    assert!(is_doubted(&reader, "a"));
    let [newcomer] = processes(&server).await;
    becomes_doubted(&newcomer, "a").await;
    doubt.resolve().await.expect("written");
    for store in [&writer, &reader, &newcomer] {
        becomes_certain(store, "a").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doubt_that_could_not_be_announced_leaves_nothing_behind() {
    let mut server = RedisServer::start();
    let [writer, reader] = processes(&server).await;
    server.pause();
    let is_outage = |error: &StoreError| error.is_timeout() || error.is_unavailable();
    let deadline = Duration::from_millis(20);
    for _ in 0..20 {
        let doubt = writer.log().doubt(&[tag("a")], LONG, deadline).await;
        assert!(is_outage(&doubt.expect_err("the server hangs")));
    }
    server.resume();
    for store in [&writer, &reader] {
        becomes_certain(store, "a").await;
    }
    // And one whose caller left while it was written.
    let log = writer.log().clone();
    let targets = [tag("a")];
    {
        let mut doubt = pin!(log.doubt(&targets, LONG, LONG));
        // On a busy machine it may stand when this returns: then its guard is what is dropped.
        let _waits_or_stands = poll_fn(|cx| Poll::Ready(doubt.as_mut().poll(cx))).await;
    }
    let doubt = writer.log().doubt(&[tag("b")], LONG, LONG).await;
    doubt.expect("announced").resolve().await.expect("written");
    for store in [&writer, &reader] {
        becomes_certain(store, "a").await;
        becomes_certain(store, "b").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_begin_that_is_written_again_after_its_end_is_over() {
    let server = RedisServer::start();
    let [writer, reader] = processes(&server).await;
    let doubt = writer.log().doubt(&[tag("a")], LONG, LONG).await;
    let begins = writer.log().stamp().position;
    doubt.expect("announced").resolve().await.expect("written");
    // What a try does that was taken for lost and arrives late.
    let script = r"
        local again = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
        local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
        local function of(record)
          local fields = {}
          for i = 1, #record[2], 2 do fields[record[2][i]] = record[2][i + 1] end
          return fields
        end
        local position = tonumber(string.match(last[1], '^%d+')) + 1
        return redis.call('XADD', KEYS[1], string.format('%.0f-0', position),
          'e', of(last).e, 'p', of(last).n, 'n', 'next one', 'c', of(again).c)";
    server.command(&["EVAL", script, "1", "keep:log", &format!("{begins}-0")]);
    let [newcomer] = processes(&server).await;
    let at = newcomer.log().stamp();
    for store in [&writer, &reader, &newcomer] {
        eventually(LONG, async || store.log().stamp() == at).await;
        assert!(!is_doubted(store, "a"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_doubts_than_there_is_room_for_are_refused() {
    let server = RedisServer::start();
    let [shared] = processes(&server).await;
    let many: Vec<_> = (0..1024).map(|i| tag(&i.to_string())).collect();
    for store in [shared, Store::memory()] {
        let mut open = Vec::new();
        // Sixteen times as many targets as fit into one.
        for _ in 0..16 {
            open.push(store.log().doubt(&many, LONG, LONG).await.expect("room"));
        }
        let error = store.log().doubt(&[tag("a")], LONG, LONG).await;
        assert!(error.expect_err("too many").is_rejected());
        assert!(!is_doubted(&store, "a"));
        drop(open.pop());
        becomes_certain(&store, "a").await;
        let is_room = async || store.log().doubt(&[tag("a")], LONG, LONG).await.is_ok();
        eventually(LONG, is_room).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_of_a_later_version_hits_everything_and_is_no_gap() {
    let server = RedisServer::start();
    let [store] = processes(&server).await;
    let doubt = store.log().doubt(&[tag("a")], LONG, LONG).await;
    doubt.expect("announced").resolve().await.expect("written");
    let stamp = store.log().stamp();
    let script = r"
        local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
        local fields = {}
        for i = 1, #last[2], 2 do fields[last[2][i]] = last[2][i + 1] end
        local position = tonumber(string.match(last[1], '^%d+')) + 1
        return redis.call('XADD', KEYS[1], string.format('%.0f-0', position),
          'e', fields.e, 'p', fields.n, 'n', 'next one', 'c', 'z12345678')";
    server.command(&["EVAL", script, "1", "keep:log"]);
    let is_hit = async || store.log().verdict(stamp, &[]) == Verdict::Invalid;
    eventually(LONG, is_hit).await;
    assert_eq!(store.log().stamp().epoch, stamp.epoch);
}
