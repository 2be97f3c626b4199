//! What a store does while its server is slow, hung, gone, or back with another memory.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, timeout};
use tower_keep_store::{Key, Mode, Store, StoreError, Target, Verdict};
use tower_keep_test_support::{RedisServer, TcpProxy, eventually};

const LONG: Duration = Duration::from_secs(10);

fn key() -> Key {
    Key::new("t", b"k")
}

fn tag(name: &str) -> Target {
    Target::new("tag", name.as_bytes())
}

fn is_outage(error: &StoreError) -> bool {
    error.is_timeout() || error.is_unavailable()
}

async fn answers(store: &Store) -> bool {
    store.ping().await.is_ok()
}

async fn is_current(store: &Store) {
    eventually(LONG, async || store.log().is_current()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_starts_while_the_server_is_down_and_finds_it_when_it_comes() {
    let mut server = RedisServer::start();
    server.kill();
    let store = Store::connect(&server.url()).expect("a good URL");
    let error = store.get(&key()).await.expect_err("no server");
    assert!(is_outage(&error), "{error:?}");
    server.restart();
    eventually(LONG, async || answers(&store).await).await;
}

/// For as long as its deadline, however long one attempt to connect may take.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_time_waits_for_a_server_that_is_slow_to_take_a_connection() {
    let mut server = RedisServer::start();
    server.pause();
    let store = Store::builder().deadline(LONG).connect(&server.url());
    let store = store.expect("a good URL");
    let mut asking = pin!(store.ping());
    timeout(Duration::from_millis(600), &mut asking)
        .await
        .expect_err("it waits on");
    server.resume();
    asking.await.expect("answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_turned_down_does_not_wait_however_much_time_there_is() {
    let mut server = RedisServer::start();
    server.kill();
    let store = Store::builder().deadline(3 * LONG).connect(&server.url());
    let store = store.expect("a good URL");
    let answer = timeout(LONG, store.ping()).await.expect("does not wait");
    assert!(answer.expect_err("no server").is_unavailable());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_that_comes_back_is_found_without_a_restart() {
    let mut server = RedisServer::start();
    let store = Store::connect(&server.url()).expect("a good URL");
    eventually(LONG, async || answers(&store).await).await;
    server.kill();
    for _ in 0..20 {
        assert!(is_outage(&store.get(&key()).await.expect_err("no server")));
    }
    server.restart();
    eventually(LONG, async || answers(&store).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_server_costs_a_few_deadlines_and_then_nothing() {
    let mut server = RedisServer::start();
    let store = Store::connect(&server.url()).expect("a good URL");
    eventually(LONG, async || answers(&store).await).await;
    server.pause();
    let mut timeouts = 0;
    for _ in 0..200 {
        let error = store.get(&key()).await.expect_err("the server hangs");
        assert!(is_outage(&error));
        timeouts += usize::from(error.is_timeout());
    }
    // Three time-outs condemn a connection, and five failures in a row open the breaker.
    assert!((1..=6).contains(&timeouts), "{timeouts} requests waited");
    server.resume();
    eventually(LONG, async || answers(&store).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_replaced_and_late_answers_reach_nobody() {
    let server = RedisServer::start();
    let proxy = TcpProxy::start(server.address()).await;
    let url = format!("redis://{}", proxy.address());
    let store = Store::connect(&url).expect("a good URL");
    eventually(LONG, async || answers(&store).await).await;
    proxy.cut().await;
    eventually(LONG, async || answers(&store).await).await;
    proxy.hang().await;
    let late = store.put(&key(), Bytes::from_static(b"late"), LONG).await;
    assert!(late.expect_err("nothing comes back").is_timeout());
    proxy.resume().await;
    eventually(LONG, async || answers(&store).await).await;
    let store = store.deadline(LONG);
    for i in 0..100_u8 {
        let name = Key::new("t", &[i]);
        store
            .put(&name, Bytes::copy_from_slice(&[i]), LONG)
            .await
            .expect("answers");
        let read = store.get(&name).await.expect("answers");
        assert_eq!(read.as_deref(), Some(&[i][..]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_the_server_forgot_is_loaded_again() {
    let server = RedisServer::start();
    let store = Store::builder()
        .deadline(LONG)
        .connect(&server.url())
        .expect("a good URL");
    store
        .log()
        .append(&[tag("a")], Mode::Hard, LONG)
        .await
        .expect("written");
    server.command(&["SCRIPT", "FLUSH"]);
    let before = store.log().stamp();
    store
        .log()
        .append(&[tag("a")], Mode::Hard, LONG)
        .await
        .expect("written");
    assert_eq!(store.log().verdict(before, &[tag("a")]), Verdict::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_invalidates_the_others_refuse() {
    let server = RedisServer::start();
    let [writer, reader] = [0; 2].map(|_| Store::connect(&server.url()).expect("a good URL"));
    is_current(&writer).await;
    is_current(&reader).await;
    let stamp = reader.log().stamp();
    assert_eq!(reader.log().verdict(stamp, &[tag("a")]), Verdict::Valid);
    writer
        .log()
        .append(&[tag("a")], Mode::Hard, LONG)
        .await
        .expect("written");
    eventually(LONG, async || {
        reader.log().verdict(stamp, &[tag("a")]) == Verdict::Invalid
    })
    .await;
    // One that starts now judges the same, from the log alone.
    let newcomer = Store::connect(&server.url()).expect("a good URL");
    is_current(&newcomer).await;
    assert_eq!(newcomer.log().verdict(stamp, &[tag("a")]), Verdict::Invalid);
    assert_eq!(newcomer.log().verdict(stamp, &[tag("b")]), Verdict::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_during_an_outage_is_in_force_here_at_once_and_everywhere_afterwards() {
    let mut server = RedisServer::start();
    let [writer, reader] = [0; 2].map(|_| Store::connect(&server.url()).expect("a good URL"));
    is_current(&writer).await;
    is_current(&reader).await;
    let stamp = writer.log().stamp();
    server.pause();
    let deadline = Duration::from_millis(20);
    let error = writer.log().append(&[tag("a")], Mode::Hard, deadline).await;
    assert!(is_outage(&error.expect_err("the server hangs")));
    assert_eq!(writer.log().verdict(stamp, &[tag("a")]), Verdict::Invalid);
    assert_eq!(writer.log().verdict(stamp, &[tag("b")]), Verdict::Valid);
    server.resume();
    eventually(LONG, async || {
        reader.log().verdict(stamp, &[tag("a")]) == Verdict::Invalid
    })
    .await;
    // Once it stands in the log, what is fetched from then on is usable again.
    eventually(LONG, async || {
        let log = writer.log();
        log.verdict(log.stamp(), &[tag("a")]) == Verdict::Valid
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_whose_caller_went_away_is_written_all_the_same() {
    let server = RedisServer::start();
    let [writer, reader] = [0; 2].map(|_| Store::connect(&server.url()).expect("a good URL"));
    is_current(&writer).await;
    is_current(&reader).await;
    let stamp = reader.log().stamp();
    let targets = [tag("a")];
    let mut append = Box::pin(writer.log().append(&targets, Mode::Hard, LONG));
    let polled_once =
        std::future::poll_fn(|cx| std::task::Poll::Ready(append.as_mut().poll(cx).is_pending()));
    assert!(polled_once.await);
    drop(append);
    eventually(LONG, async || {
        reader.log().verdict(stamp, &[tag("a")]) == Verdict::Invalid
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_log_leaves_nothing_usable_that_was_fetched_before() {
    let server = RedisServer::start();
    let [one, other] = [0; 2].map(|_| Store::connect(&server.url()).expect("a good URL"));
    is_current(&one).await;
    is_current(&other).await;
    for _ in 0..5 {
        one.log()
            .append(&[tag("a")], Mode::Hard, LONG)
            .await
            .expect("written");
    }
    let stamp = one.log().stamp();
    server.command(&["FLUSHALL"]);
    for store in [&one, &other] {
        let log = store.log();
        eventually(LONG, async || log.verdict(stamp, &[]) == Verdict::Invalid).await;
        is_current(store).await;
    }
    // Both agree on the new epoch, and go on.
    eventually(LONG, async || one.log().stamp() == other.log().stamp()).await;
    let stamp = one.log().stamp();
    assert_eq!(other.log().verdict(stamp, &[tag("b")]), Verdict::Valid);
    other
        .log()
        .append(&[tag("b")], Mode::Hard, LONG)
        .await
        .expect("written");
    eventually(LONG, async || {
        one.log().verdict(stamp, &[tag("b")]) == Verdict::Invalid
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_with_another_history_begins_a_new_epoch() {
    let server = RedisServer::start();
    let store = Store::connect(&server.url()).expect("a good URL");
    is_current(&store).await;
    store
        .log()
        .append(&[tag("a")], Mode::Hard, LONG)
        .await
        .expect("written");
    // As after a fail-over to a replica that had not received the last record.
    server.command(&["COPY", "keep:log", "replica"]);
    store
        .log()
        .append(&[tag("b")], Mode::Hard, LONG)
        .await
        .expect("written");
    let stamp = store.log().stamp();
    server.command(&["COPY", "replica", "keep:log", "REPLACE"]);
    let log = store.log();
    eventually(LONG, async || log.verdict(stamp, &[]) == Verdict::Invalid).await;
    is_current(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_forked_behind_our_back_is_noticed_at_its_next_record() {
    let server = RedisServer::start();
    let [ours, theirs] = [0; 2].map(|_| Store::connect(&server.url()).expect("a good URL"));
    is_current(&ours).await;
    is_current(&theirs).await;
    server.command(&["COPY", "keep:log", "replica"]);
    ours.log()
        .append(&[tag("a")], Mode::Hard, LONG)
        .await
        .expect("written");
    let stamp = ours.log().stamp();
    // The same position is taken again, by another record.
    server.command(&["COPY", "replica", "keep:log", "REPLACE"]);
    let _either = theirs.log().append(&[tag("b")], Mode::Hard, LONG).await;
    let log = ours.log();
    eventually(LONG, async || {
        log.verdict(stamp, &[tag("b")]) == Verdict::Invalid
    })
    .await;
    is_current(&ours).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_taken_out_by_hand_does_not_stop_the_log() {
    let server = RedisServer::start();
    let store = Store::connect(&server.url()).expect("a good URL");
    is_current(&store).await;
    store
        .log()
        .append(&[tag("a")], Mode::Hard, LONG)
        .await
        .expect("written");
    let stamp = store.log().stamp();
    server.command(&["XDEL", "keep:log", &format!("{}-0", stamp.position)]);
    let log = store.log();
    eventually(LONG, async || log.verdict(stamp, &[]) == Verdict::Invalid).await;
    is_current(&store).await;
    store
        .log()
        .append(&[tag("b")], Mode::Hard, LONG)
        .await
        .expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_read_is_current_no_longer_than_the_bound() {
    let mut server = RedisServer::start();
    // So long that a busy machine does not let it pass between two lines of this.
    let store = Store::builder()
        .staleness_bound(Duration::from_secs(3))
        .connect(&server.url())
        .expect("a good URL");
    is_current(&store).await;
    server.kill();
    let killed = Instant::now();
    assert!(
        store.log().is_current(),
        "nothing can have been missed for longer than the bound yet"
    );
    eventually(LONG, async || !store.log().is_current()).await;
    // The bound, and what a busy machine adds.
    assert!(killed.elapsed() < Duration::from_secs(6));
    server.restart();
    is_current(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_bytes_where_the_log_should_be_are_never_trusted() {
    let server = RedisServer::start();
    server.command(&["SET", "keep:log", "not a stream"]);
    let store = Store::connect(&server.url()).expect("a good URL");
    let deadline = Duration::from_millis(50);
    assert!(
        store
            .log()
            .append(&[tag("a")], Mode::Hard, deadline)
            .await
            .is_err()
    );
    assert!(!store.log().is_current());
    server.command(&["DEL", "keep:log"]);
    is_current(&store).await;
    let stamp = store.log().stamp();
    server.command(&["XADD", "keep:log", "9000000-0", "x", "y"]);
    // One foreign line: nobody knows what stood in its place, and the log heals by itself.
    server.command(&["XADD", "keep:log", "9000000-0", "x", "y"]);
    eventually(LONG, async || store.log().stamp().epoch != stamp.epoch).await;
    is_current(&store).await;
    assert_eq!(store.log().verdict(stamp, &[]), Verdict::Invalid);
    let stamp = store.log().stamp();
    store
        .log()
        .append(&[tag("a")], Mode::Hard, LONG)
        .await
        .expect("written");
    assert_eq!(store.log().verdict(stamp, &[tag("a")]), Verdict::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_handle_takes_tasks_and_connections_with_it() {
    let server = RedisServer::start();
    let store = Store::connect(&server.url()).expect("a good URL");
    is_current(&store).await;
    // One of them is the test's own question.
    let connections = async || {
        let clients = server.command(&["CLIENT", "LIST"]).text().expect("a list");
        clients
            .lines()
            .filter(|line| !line.contains("cmd=client"))
            .count()
    };
    eventually(LONG, async || connections().await >= 3).await;
    let log = store.log().clone();
    drop(store);
    let stamp = log.stamp();
    log.append(&[tag("a")], Mode::Hard, LONG)
        .await
        .expect("a handle to the log keeps it");
    assert_ne!(log.stamp(), stamp);
    drop(log);
    eventually(LONG, async || connections().await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stall_is_not_an_outage_however_many_it_hits() {
    let mut server = RedisServer::start();
    let store = Store::connect(&server.url()).expect("a good URL");
    eventually(LONG, async || answers(&store).await).await;
    server.pause();
    let asking: Vec<_> = (0..20_u8)
        .map(|i| {
            let store = store.clone();
            tokio::spawn(async move { store.get(&Key::new("t", &[i])).await })
        })
        .collect();
    for one in asking {
        assert!(is_outage(
            &one.await.expect("no panic").expect_err("the server stalls")
        ));
    }
    server.resume();
    // Neither refused by the breaker, nor without a connection.
    store.deadline(LONG).ping().await.expect("answers at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn random_outages_never_lose_an_invalidation() {
    let seed = tower_keep_test_support::seed();
    let random = |i: u64| {
        // SplitMix64
        let mut z = seed.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let server = RedisServer::start();
    let proxy = TcpProxy::start(server.address()).await;
    let url = format!("redis://{}", proxy.address());
    let writer = Store::connect(&url).expect("a good URL");
    let reader = Store::connect(&server.url()).expect("a good URL");
    is_current(&writer).await;
    is_current(&reader).await;
    let mut expected = Vec::new();
    for i in 0..60 {
        match random(i) % 6 {
            0 => proxy.cut().await,
            1 => proxy.hang().await,
            2 => proxy.resume().await,
            3 if i % 3 == 0 => {
                server.command(&["SCRIPT", "FLUSH"]);
            }
            _ => {}
        }
        let name = format!("tag {i}");
        let stamp = reader.log().stamp();
        let _may_fail = writer
            .log()
            .append(&[tag(&name)], Mode::Hard, Duration::from_millis(10))
            .await;
        expected.push((stamp, name));
    }
    proxy.resume().await;
    for (stamp, name) in expected {
        eventually(LONG, async || {
            reader.log().verdict(stamp, &[tag(&name)]) == Verdict::Invalid
        })
        .await;
    }
    is_current(&reader).await;
    let log = reader.log();
    assert_eq!(log.verdict(log.stamp(), &[tag("tag 0")]), Verdict::Valid);
}
