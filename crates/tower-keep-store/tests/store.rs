//! What every store does, on both of them.

use std::time::Duration;

use bytes::Bytes;
use tower_keep_store::{Key, Mode, Store, Target, Verdict};
use tower_keep_test_support::{RedisServer, Reply, eventually};

const MINUTE: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(10);

/// Both stores, and the server that must outlive the second.
fn stores() -> (RedisServer, [Store; 2]) {
    let server = RedisServer::start();
    let redis = Store::builder()
        .deadline(LONG)
        .connect(&server.url())
        .expect("a good URL");
    (server, [Store::memory(), redis])
}

fn key(name: &str) -> Key {
    Key::new("t", name.as_bytes())
}

fn tag(name: &str) -> Target {
    Target::new("tag", name.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_read_as_it_was_written_until_it_is_removed() {
    let (_server, stores) = stores();
    for store in stores {
        let value = Bytes::from_static(b"\0\r\n$-1\r\nvalue");
        assert_eq!(store.get(&key("a")).await.expect("answers"), None);
        store
            .put(&key("a"), value.clone(), MINUTE)
            .await
            .expect("answers");
        assert_eq!(store.get(&key("a")).await.expect("answers"), Some(value));
        assert_eq!(store.get(&key("b")).await.expect("answers"), None);
        store.remove(&key("a")).await.expect("answers");
        assert_eq!(store.get(&key("a")).await.expect("answers"), None);
        store.ping().await.expect("answers");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_on_the_server_has_a_time_to_live() {
    let (server, [_, store]) = stores();
    store
        .put(&key("a"), Bytes::from_static(b"v"), Duration::ZERO)
        .await
        .expect("answers");
    store
        .put(&key("b"), Bytes::from_static(b"v"), Duration::MAX)
        .await
        .expect("answers");
    store
        .log()
        .append(&[tag("x")], Mode::Hard, LONG)
        .await
        .expect("written");
    let Reply::Array(Some(names)) = server.command(&["KEYS", "*"]) else {
        panic!("KEYS answers with a list");
    };
    assert!(names.len() >= 2, "{names:?}");
    for name in names {
        let name = name.text().expect("a key");
        let Reply::Integer(left) = server.command(&["PTTL", &name]) else {
            panic!("PTTL answers with a number");
        };
        // -2 is gone already, -1 would be for ever.
        assert!(left >= 0 || left == -2, "{name} has {left} ms left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_do_not_see_each_other() {
    let server = RedisServer::start();
    let [ours, theirs] = ["ours", "theirs"].map(|name| {
        Store::builder()
            .namespace(name)
            .deadline(LONG)
            .connect(&server.url())
            .expect("a good URL")
    });
    ours.put(&key("a"), Bytes::from_static(b"v"), MINUTE)
        .await
        .expect("answers");
    assert_eq!(theirs.get(&key("a")).await.expect("answers"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_refuses_what_began_before_it_and_nothing_else() {
    let (_server, stores) = stores();
    for store in stores {
        let log = store.log();
        eventually(LONG, async || log.is_current()).await;
        let before = log.stamp();
        assert_eq!(log.verdict(before, &[tag("a"), tag("b")]), Verdict::Valid);
        let generation = log.generation();
        log.append(&[tag("a")], Mode::Hard, LONG)
            .await
            .expect("written");
        assert_ne!(log.generation(), generation);
        assert_eq!(log.verdict(before, &[tag("a")]), Verdict::Invalid);
        assert_eq!(log.verdict(before, &[tag("b")]), Verdict::Valid);
        let after = log.stamp();
        assert_eq!(log.verdict(after, &[tag("a")]), Verdict::Valid);
        log.append(&[tag("b")], Mode::Soft, LONG)
            .await
            .expect("written");
        assert_eq!(log.verdict(after, &[tag("b")]), Verdict::Soft);
        log.append(&[Target::EVERYTHING], Mode::Hard, LONG)
            .await
            .expect("written");
        assert_eq!(log.verdict(after, &[]), Verdict::Invalid);
        assert_eq!(log.verdict(log.stamp(), &[tag("a")]), Verdict::Valid);
    }
}

#[tokio::test]
async fn a_url_that_cannot_be_used_is_refused_without_repeating_it() {
    for url in [
        "mysql://root:hunter2@localhost",
        "hunter2",
        "redis://:hunter2@localhost:notaport",
        "redis+cluster://:hunter2@a,b",
        "",
    ] {
        let error = Store::connect(url).expect_err(url);
        let mut said = format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            said += &cause.to_string();
            source = cause.source();
        }
        assert!(!said.contains("hunter2"), "{said}");
    }
    for namespace in ["", "a b", "a{b}", &"x".repeat(65)] {
        let builder = Store::builder().namespace(namespace);
        assert!(builder.connect("memory:").is_err(), "{namespace:?}");
    }
}

#[test]
fn without_a_runtime_connecting_is_an_error_and_not_a_panic() {
    assert!(Store::connect("redis://127.0.0.1:1").is_err());
    assert!(Store::connect("memory:").is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_serves_as_well() {
    let server = RedisServer::builder().unix_socket().start();
    let store = Store::builder()
        .deadline(LONG)
        .connect(&server.url())
        .expect("a good URL");
    store.ping().await.expect("answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlines_and_bounds_out_of_range_are_refused_or_harmless() {
    let server = RedisServer::start();
    let builder = Store::builder;
    for refused in [
        builder().deadline(Duration::ZERO),
        builder().connections(0),
        builder().staleness_bound(Duration::from_millis(499)),
    ] {
        assert!(refused.connect(&server.url()).is_err());
    }
    let patient = builder()
        .deadline(Duration::MAX)
        .connect(&server.url())
        .expect("a good URL");
    patient.ping().await.expect("answers");
}

/// What an envelope carries of them is enough.
#[test]
fn targets_survive_an_envelope() {
    assert_eq!(Target::from_bits(tag("a").to_bits()), tag("a"));
    assert_ne!(tag("a"), Target::new("class", b"a"));
}
