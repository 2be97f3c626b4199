//! Hearing what is published on a real server.

use std::{pin::pin, time::Duration};

use tokio::time::timeout;
use tower_keep_store::{Key, Store};
use tower_keep_test_support::{RedisServer, Reply, TcpProxy, eventually};

const LONG: Duration = Duration::from_secs(10);

fn store(port: u16) -> Store {
    let store = Store::builder().deadline(LONG);
    let store = store.connect(&format!("redis://127.0.0.1:{port}"));
    store.expect("a good URL")
}

fn key(number: u32) -> Key {
    Key::new("t", &number.to_be_bytes())
}

fn channels(server: &RedisServer) -> Vec<String> {
    match server.command(&["PUBSUB", "CHANNELS", "keep:t:*"]) {
        Reply::Array(Some(names)) => names.iter().filter_map(Reply::text).collect(),
        other => panic!("CHANNELS answers with a list, not {other:?}"),
    }
}

/// Publishes its number on each channel that somebody listens to.
fn publish_all(server: &RedisServer, said: &str) {
    for channel in channels(server) {
        server.command(&["PUBLISH", &channel, said]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_listen_hear_what_is_published_and_only_on_their_channel() {
    let server = RedisServer::start();
    let store = store(server.port());
    let mut one = store.subscribe(&key(1)).await.expect("confirmed");
    let mut same = store.subscribe(&key(1)).await.expect("confirmed");
    assert_eq!(channels(&server).len(), 1);
    publish_all(&server, "a");
    for listener in [&mut one, &mut same] {
        assert_eq!(listener.next().await.as_deref(), Some(&b"a"[..]));
    }
    let mut other = store.subscribe(&key(2)).await.expect("confirmed");
    publish_all(&server, "b");
    assert_eq!(one.next().await.as_deref(), Some(&b"b"[..]));
    assert_eq!(other.next().await.as_deref(), Some(&b"b"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_left_with_its_last_listener() {
    let server = RedisServer::start();
    let store = store(server.port());
    let one = store.subscribe(&key(1)).await.expect("confirmed");
    let mut same = store.subscribe(&key(1)).await.expect("confirmed");
    drop(one);
    let other = store.subscribe(&key(2)).await.expect("confirmed");
    publish_all(&server, "a");
    assert_eq!(same.next().await.as_deref(), Some(&b"a"[..]));
    drop((same, other));
    eventually(LONG, async || channels(&server).is_empty()).await;
    // And begun again.
    let mut again = store.subscribe(&key(1)).await.expect("confirmed");
    publish_all(&server, "b");
    assert_eq!(again.next().await.as_deref(), Some(&b"b"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_that_come_and_go_at_once_are_never_deaf() {
    let server = RedisServer::start();
    let store = store(server.port());
    for round in 0..50 {
        let coming: Vec<_> = (0..20)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move { store.subscribe(&key(number % 4)).await })
            })
            .collect();
        let mut listening = Vec::new();
        for one in coming {
            listening.push(one.await.expect("no panic").expect("confirmed"));
        }
        publish_all(&server, "x");
        for one in &mut listening {
            assert!(one.next().await.is_some(), "round {round}");
        }
    }
}

/// For as long as its deadline, however long one attempt to connect may take.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_time_waits_for_a_server_that_is_slow_to_take_the_connection() {
    let mut server = RedisServer::start();
    server.pause();
    let (store, name) = (store(server.port()), key(1));
    let mut asking = pin!(store.subscribe(&name));
    timeout(Duration::from_millis(600), &mut asking)
        .await
        .expect_err("it waits on");
    server.resume();
    asking.await.expect("confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_is_told_when_the_connection_is_lost_or_hangs_and_can_begin_anew() {
    let server = RedisServer::start();
    let proxy = TcpProxy::start(server.address()).await;
    let store = store(proxy.port());
    let mut listener = store.subscribe(&key(1)).await.expect("confirmed");
    proxy.cut().await;
    assert_eq!(listener.next().await, None);
    let mut listener = store.subscribe(&key(1)).await.expect("confirmed");
    proxy.hang().await;
    assert_eq!(listener.next().await, None, "it says nothing any more");
    proxy.resume().await;
    eventually(LONG, async || store.subscribe(&key(1)).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_store_has_no_channels_and_the_connection_ends_with_its_store() {
    let embedded = Store::memory();
    assert!(embedded.subscribe(&key(1)).await.is_err());
    let server = RedisServer::start();
    let store = store(server.port());
    let listener = store.subscribe(&key(1)).await.expect("confirmed");
    drop((listener, store));
    let clients = || match server.command(&["CLIENT", "LIST", "TYPE", "pubsub"]) {
        Reply::Bulk(Some(list)) => list.len(),
        _ => 0,
    };
    eventually(LONG, async || clients() == 0).await;
}
