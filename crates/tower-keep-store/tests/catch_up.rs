//! Catching up with the log: what was told to stand there is in every verdict afterwards.

use std::time::Duration;

use tower_keep_store::{InvalidationLog, Mode, Store, Target, Verdict};
use tower_keep_test_support::{RedisServer, TcpProxy, eventually};

const LONG: Duration = Duration::from_secs(10);

fn tag() -> Target {
    Target::new("tag", b"a")
}

async fn connect(url: &str) -> Store {
    let store = Store::builder().deadline(LONG).connect(url);
    let store = store.expect("a good URL");
    eventually(LONG, async || store.log().is_current()).await;
    store
}

/// Appends on one, judges on the other right afterwards; how often that was a stale answer.
async fn stale_verdicts(
    writer: &InvalidationLog,
    reader: &InvalidationLog,
    catches_up: bool,
    before_each: impl Fn(),
) -> usize {
    let mut stale = 0;
    for _ in 0..20 {
        let stamp = reader.stamp();
        before_each();
        let appended = writer.append(&[tag()], Mode::Hard, LONG).await;
        appended.expect("written");
        if catches_up {
            reader.catch_up(LONG).await.expect("the log can be read");
        }
        stale += usize::from(reader.verdict(stamp, &[tag()]) == Verdict::Valid);
        let is_heard = async || reader.verdict(stamp, &[tag()]) == Verdict::Invalid;
        eventually(LONG, is_heard).await;
    }
    stale
}

#[tokio::test(flavor = "multi_thread")]
async fn who_catches_up_misses_nothing_on_a_slow_network() {
    let server = RedisServer::start();
    let latency = Duration::from_millis(10);
    let proxy = TcpProxy::builder(server.address()).latency(latency);
    let proxy = proxy.start().await;
    let writer = connect(&server.url()).await;
    let reader = connect(&format!("redis://{}", proxy.address())).await;
    let (writer, reader) = (writer.log(), reader.log());
    assert_ne!(stale_verdicts(writer, reader, false, || ()).await, 0);
    assert_eq!(stale_verdicts(writer, reader, true, || ()).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_catches_up_needs_no_reader() {
    let server = RedisServer::start();
    let writer = connect(&server.url()).await;
    let reader = connect(&server.url()).await;
    let (writer, reader) = (writer.log(), reader.log());
    // Every process reads anew after a tenth of a second. The writer need not have read what it wrote.
    let kill_readers = || {
        let clients = server.command(&["CLIENT", "LIST"]).text().expect("a list");
        let blocked = clients.lines().filter(|line| line.contains("cmd=xread"));
        for line in blocked {
            let (id, _) = line[3..].split_once(' ').expect("id=… and more");
            server.command(&["CLIENT", "KILL", "ID", id]);
        }
    };
    assert_eq!(stale_verdicts(writer, reader, true, kill_readers).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn far_behind_it_reads_on_by_itself_and_the_reader_takes_that_well() {
    let server = RedisServer::start();
    let proxy = TcpProxy::start(server.address()).await;
    let writer = connect(&server.url()).await;
    let reader = connect(&format!("redis://{}", proxy.address())).await;
    let stamp = reader.log().stamp();
    proxy.hang().await;
    for i in 0..1500_u32 {
        let target = Target::new("tag", &i.to_be_bytes());
        let _queued = writer
            .log()
            .append(&[target], Mode::Hard, Duration::ZERO)
            .await;
        if i % 50 == 0 {
            writer.ping().await.expect("answers");
        }
    }
    let appended = writer.log().append(&[tag()], Mode::Hard, LONG).await;
    appended.expect("written");
    let deadline = Duration::from_millis(20);
    let caught_up = reader.log().catch_up(deadline).await;
    assert!(caught_up.is_err(), "nothing can be read");
    proxy.resume().await;
    eventually(LONG, async || reader.log().catch_up(LONG).await.is_ok()).await;
    assert_eq!(reader.log().verdict(stamp, &[tag()]), Verdict::Invalid);
    let one_more = writer.log().append(&[tag()], Mode::Hard, LONG).await;
    let at = one_more.expect("written");
    eventually(LONG, async || reader.log().stamp() == at).await;
    assert_eq!(at.epoch, stamp.epoch, "no gap");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_log_that_can_be_read_nobody_catches_up() {
    let mut server = RedisServer::start();
    let store = connect(&server.url()).await;
    let deadline = Duration::from_millis(100);
    store.log().catch_up(LONG).await.expect("at the end");
    let for_ever = store.log().catch_up(Duration::MAX).await;
    for_ever.expect("at the end");
    server.pause();
    let caught_up = store.log().catch_up(deadline).await;
    assert!(caught_up.expect_err("it hangs").is_timeout());
    server.resume();
    eventually(LONG, async || store.log().catch_up(LONG).await.is_ok()).await;
    let epoch = store.log().stamp().epoch;
    server.command(&["FLUSHALL"]);
    // Either it is not there, or it is another one.
    let caught_up = store.log().catch_up(deadline).await;
    assert!(caught_up.is_err() || store.log().stamp().epoch != epoch);
    eventually(LONG, async || store.log().catch_up(LONG).await.is_ok()).await;
    Store::memory()
        .log()
        .catch_up(deadline)
        .await
        .expect("at its end");
}
