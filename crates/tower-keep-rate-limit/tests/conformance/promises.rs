//! Who shares buckets, and who does not.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer, Subject};
use tower_keep_store::{Clock, Identity, PeerAddr, Store};
use tower_keep_test_support::{RedisServer, Reply};

use crate::{
    common::{Limited, START, builder, from, limited, send, status, warnings::Warnings},
    schedules::stores,
};

fn two(name: &str) -> Policy {
    Policy::new(name, Quota::per_day(2)).by(Key::header("x-merchant-id"))
}

fn service(store: &Store, policy: Policy) -> Limited {
    let layer = RateLimitLayer::builder(store.clone()).policy(policy);
    limited(&layer.build().expect("makes sense")).0
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_of_one_name_in_two_layers_share_their_buckets() {
    let server = RedisServer::start();
    for store in stores(&server) {
        let one = service(&store, two("shared"));
        let other = service(&store, two("shared"));
        assert_eq!(status(&one, "m").await, StatusCode::OK);
        assert_eq!(status(&other, "m").await, StatusCode::OK);
        for service in [&one, &other] {
            assert_eq!(status(service, "m").await, StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(status(service, "other").await, StatusCode::OK);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_of_other_names_do_not() {
    let server = RedisServer::start();
    for store in stores(&server) {
        for name in ["a", "b", "a ", "A"] {
            let service = service(&store, two(name));
            for expected in [200, 200, 429] {
                assert_eq!(status(&service, "m").await, expected, "{name:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_on_one_server_share_their_buckets_and_namespaces_do_not() {
    let server = RedisServer::start();
    let connect = |namespace: &str| {
        let store = builder().namespace(namespace).connect(&server.url());
        store.expect("a good URL")
    };
    let one = service(&connect("one"), two("shared"));
    let same = service(&connect("one"), two("shared"));
    let other = service(&connect("other"), two("shared"));
    assert_eq!(status(&one, "m").await, StatusCode::OK);
    assert_eq!(status(&same, "m").await, StatusCode::OK);
    assert_eq!(status(&one, "m").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(status(&same, "m").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(status(&other, "m").await, StatusCode::OK);
}

const TEXT: &str = "10.0.0.1";

/// A request whose header, user and address are all the same text.
fn everything() -> Request<Full<Bytes>> {
    let mut request = from(TEXT);
    let address: IpAddr = TEXT.parse().expect("an address");
    let extensions = request.extensions_mut();
    extensions.insert(PeerAddr(SocketAddr::new(address, 1)));
    extensions.insert(Identity::new(TEXT));
    request
}

/// Keys that all find the same text, and whom they find.
fn kinds() -> Vec<(Key, Subject)> {
    let address = TEXT.parse().expect("an address");
    let octets = [10, 0, 0, 1];
    let header = || Key::header("x-merchant-id");
    let both = || Subject::header(TEXT).and(Subject::user(TEXT));
    let turned = || Subject::user(TEXT).and(Subject::header(TEXT));
    vec![
        (header(), Subject::header(TEXT)),
        (Key::user(), Subject::user(TEXT)),
        (Key::client_ip().into(), Subject::address(address)),
        (Key::from_fn(|_| Some(TEXT)), Subject::custom(TEXT)),
        (Key::from_fn(move |_| Some(octets)), Subject::custom(octets)),
        (header().and(Key::user()), both()),
        (Key::user().and(header()), turned()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_other_kinds_with_the_same_text_do_not_share() {
    let server = RedisServer::start();
    for store in stores(&server) {
        for (key, subject) in kinds() {
            // One name: only the kind tells them apart.
            let policy = two("shared").by(key);
            let layer = RateLimitLayer::builder(store.clone()).policy(policy);
            let layer = layer.build().expect("makes sense");
            let service = limited(&layer).0;
            for expected in [200, 200, 429] {
                let answer = send(&service, everything()).await;
                assert_eq!(answer.status(), expected, "{subject:?}");
            }
            let left = layer.handle().peek("shared", &subject).await;
            assert_eq!(left.expect("answers").remaining(), 0, "{subject:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_pass_asks_nobody() {
    let server = RedisServer::start();
    let [_, store] = stores(&server);
    let costly = service(&store, two("costly").cost(|_| 3));
    server.command(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    server.command(&["CONFIG", "SET", "slowlog-max-len", "10000"]);
    for _ in 0..20 {
        assert_eq!(status(&costly, "m").await, StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(on_buckets(&server), 0);
    let cheap = service(&store, two("cheap"));
    assert_eq!(status(&cheap, "m").await, StatusCode::OK);
    assert_ne!(on_buckets(&server), 0, "those that ask are counted");
}

/// Commands that named a bucket. Others go on all the time: each process tells that it lives, and reads the log.
fn on_buckets(server: &RedisServer) -> usize {
    let Reply::Array(Some(entries)) = server.command(&["SLOWLOG", "GET", "10000"]) else {
        panic!("SLOWLOG answers with a list");
    };
    let names_one = |entry: &&Reply| {
        let Reply::Array(Some(entry)) = entry else {
            panic!("an entry is a list");
        };
        let Reply::Array(Some(words)) = &entry[3] else {
            panic!("a command is a list");
        };
        let mut words = words.iter().filter_map(Reply::text);
        words.any(|word| word.starts_with("keep:r:"))
    };
    entries.iter().filter(names_one).count()
}

#[tokio::test]
async fn who_counts_by_user_and_has_none_is_told_so_once() {
    let warnings = Warnings::default();
    let _set = tracing::subscriber::set_default(warnings.clone());
    let by_header = service(&Store::memory(), two("by-header"));
    let by_user = Key::header("x-merchant-id").and(Key::user());
    let by_user = service(&Store::memory(), two("by-user").by(by_user));
    send(&by_header, Request::default()).await;
    assert_eq!(warnings.text(), "");
    send(&by_user, everything()).await;
    assert_eq!(warnings.text(), "");
    for _ in 0..3 {
        send(&by_user, from("m")).await;
    }
    let text = warnings.text();
    assert_eq!(text.matches("no Identity").count(), 1, "{text}");
    assert!(
        text.contains("by-user") && text.contains("inside"),
        "{text}"
    );
}

/// Asks ten times a second for so many seconds; how many passed.
async fn passed(quota: Quota, seconds: u64) -> usize {
    let clock = Clock::manual(START);
    let store = Store::builder().clock(clock.clone()).memory();
    let policy = Policy::new("p", quota).by(Key::header("x-merchant-id"));
    let service = service(&store, policy);
    let mut passed = 0;
    for _ in 0..seconds * 10 {
        passed += usize::from(status(&service, "m").await == StatusCode::OK);
        clock.advance(Duration::from_millis(100));
    }
    passed
}

#[tokio::test]
async fn of_a_hundred_a_minute_199_can_pass_in_the_first_minute_unless_it_is_strict() {
    let quota = Quota::per_minute(100);
    assert_eq!(passed(quota, 60).await, 199);
    assert_eq!(passed(quota.strict(), 60).await, 100);
}
