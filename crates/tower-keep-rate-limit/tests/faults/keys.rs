//! What the limiter leaves on the server.

use std::{net::SocketAddr, time::Duration};

use http::StatusCode;
use tower::{Layer, ServiceExt};
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer, Subject};
use tower_keep_store::PeerAddr;
use tower_keep_test_support::{RedisServer, Reply, eventually};

use crate::{
    common::{Handler, LONG, from, limited, send},
    tools::{keys, lives, process},
};

/// Policies of all kinds, on secrets of all kinds.
fn layer(server: &RedisServer) -> RateLimitLayer {
    let merchant = || Key::header("x-merchant-id");
    let minute = Duration::from_secs(60);
    RateLimitLayer::builder(process(server))
        .policy(Policy::new("rate", Quota::per_minute(1000)).by(Key::client_ip()))
        .policy(Policy::new("burst", Quota::per_second(1).burst(60)).by(merchant()))
        .policy(Policy::new("strict", Quota::new(1000, minute).strict()).by(Key::route()))
        .policy(Policy::new("window", Quota::new(1000, minute).fixed_window()).by(merchant()))
        .policy(Policy::new("slots", Quota::concurrent(100)).by(merchant()))
        .policy(
            Policy::new("outcome", Quota::new(1000, minute))
                .by(merchant())
                .count_if(|_| true),
        )
        .policy(
            Policy::new("few", Quota::new(3, minute))
                .by(merchant())
                .adjustable()
                .ban_after(2, Duration::from_secs(20), minute),
        )
        .build()
        .expect("makes sense")
}

/// Milliseconds that a key may live on, at most.
fn most(key: &str) -> i64 {
    let mut parts = key.split(':');
    assert_eq!(parts.next(), Some("keep"), "{key}");
    match parts.next() {
        // The longest ban, twice over; a limit's own minute is shorter, a sixteenth more for the strict one.
        Some("r") => 121_000,
        Some("q") => 100_000,
        Some("p") => 3000,
        Some("log") => 24 * 3_600_000,
        _ => panic!("what is {key}?"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_has_a_time_to_live_and_says_nothing_of_the_client() {
    const SECRET: &str = "SECRETmerchant";
    let server = RedisServer::start();
    let layer = layer(&server);
    let (service, _) = limited(&layer);
    let request = || {
        let mut request = from(SECRET);
        *request.uri_mut() = "/SECRETpath?SECRETquery".parse().expect("a path");
        let headers = request.headers_mut();
        headers.insert("x-forwarded-for", "203.0.113.77".parse().expect("text"));
        headers.insert("authorization", "SECRETtoken".parse().expect("text"));
        let peer: SocketAddr = "198.51.100.88:45678".parse().expect("an address");
        request.extensions_mut().insert(PeerAddr(peer));
        request
    };
    // A body that is not read holds its slot.
    let open = layer.layer(Handler::default()).oneshot(request()).await;
    let open = open.expect("answers");
    let subject = Subject::header(SECRET);
    let quota = Some(Quota::new(4, Duration::from_secs(60)));
    let lasts = Duration::from_secs(100);
    let adjusted = layer.handle().adjust("few", &subject, quota, lasts).await;
    adjusted.expect("answers");
    for _ in 0..20 {
        let status = send(&service, request()).await.status();
        assert!(status == StatusCode::OK || status == StatusCode::TOO_MANY_REQUESTS);
    }
    // The ban is stored in the background.
    let banned = async || {
        let status = layer.handle().peek("few", &subject).await;
        status.is_ok_and(|status| status.retry_after() > Some(Duration::from_secs(15)))
    };
    eventually(LONG, banned).await;
    let keys = keys(&server, "");
    assert!(keys.len() >= 10, "{keys:?}");
    for key in &keys {
        let lives = lives(&server, key);
        assert!(
            lives > 0 && lives <= most(key),
            "{key} lives for {lives} ms"
        );
        let said = format!("{key} {:?}", server.command(&["DUMP", key]));
        let Reply::Bulk(Some(bytes)) = server.command(&["DUMP", key]) else {
            panic!("{key} is gone");
        };
        let said = said + &String::from_utf8_lossy(&bytes);
        for part in [
            "SECRET",
            "203.0.113",
            "198.51.100",
            "45678",
            "merchant",
            "/",
        ] {
            assert!(!key.contains(part), "{key} says {part}");
        }
        for part in ["SECRET", "203.0.113", "198.51.100", "45678"] {
            assert!(!said.contains(part), "what is in {key} says {part}");
        }
    }
    drop(open);
}
