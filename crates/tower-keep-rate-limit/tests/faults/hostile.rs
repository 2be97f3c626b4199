//! Clients that claim to be many.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use tower_keep_rate_limit::{ClientIp, Key, Policy, Quota};
use tower_keep_store::PeerAddr;
use tower_keep_test_support::{Random, seed};

use crate::{
    common::{Answer, Limited, field, limited, send, stores},
    tools::layer,
};

/// A service on each store that lets one client pass ten times.
fn services(key: impl Into<Key>) -> (Vec<Limited>, impl Drop) {
    let stores = stores();
    let policy = Policy::new("client", Quota::per_day(10)).by(key);
    let service = |store| limited(&layer(store, policy.clone())).0;
    let services = stores.stores.map(|(store, _)| service(store));
    (services.into(), Alive(stores.server))
}

/// The server, for as long as it is needed.
struct Alive(#[allow(dead_code)] tower_keep_test_support::RedisServer);

impl Drop for Alive {
    fn drop(&mut self) {}
}

fn peer(address: impl Into<IpAddr>) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    let peer = PeerAddr(SocketAddr::new(address.into(), 4711));
    request.extensions_mut().insert(peer);
    request
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn with(
    mut request: Request<Full<Bytes>>,
    name: &'static str,
    value: &[u8],
) -> Request<Full<Bytes>> {
    let value = HeaderValue::from_bytes(value).expect("a valid value");
    request.headers_mut().append(name, value);
    request
}

/// Charged, and answered with one of two.
fn assert_limited(answer: &Answer) {
    let status = answer.status();
    assert!(
        status == StatusCode::OK || status == StatusCode::TOO_MANY_REQUESTS,
        "{status}"
    );
    assert!(field(answer, "ratelimit").is_some(), "no free pass");
}

async fn count(service: &Limited, requests: impl Iterator<Item = Request<Full<Bytes>>>) -> usize {
    let mut passed = 0;
    for request in requests {
        let answer = send(service, request).await;
        assert_limited(&answer);
        passed += usize::from(answer.status() == StatusCode::OK);
    }
    passed
}

fn behind_proxies() -> ClientIp {
    Key::client_ip().trusted_proxies(["10.0.0.0/8", "fd00::/8"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_forged_addresses_of_one_client_are_one_client() {
    let (services, _server) = services(behind_proxies());
    for service in services {
        let forged = (0..1000_u32).map(|number| {
            let forged = std::net::Ipv4Addr::from(number * 65_537).to_string();
            let request = peer(address("192.0.2.1"));
            let request = with(request, "forwarded", format!("for={forged}").as_bytes());
            with(request, "x-forwarded-for", forged.as_bytes())
        });
        assert_eq!(count(&service, forged).await, 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_forged_hops_before_a_true_one_are_one_client() {
    let (services, _server) = services(behind_proxies());
    for service in services {
        let forged = (0..1000_u32).map(|number| {
            let forged = std::net::Ipv4Addr::from(number * 65_537);
            let hops = format!("{forged}, 192.0.2.1, 10.1.2.3");
            with(
                peer(address("10.0.0.1")),
                "x-forwarded-for",
                hops.as_bytes(),
            )
        });
        assert_eq!(count(&service, forged).await, 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_addresses_of_one_network_are_one_client() {
    let (services, _server) = services(Key::client_ip());
    for service in services {
        let mut random = Random::new(seed());
        let own = (0..1000).map(|_| {
            let [a, b, c, d] =
                [(); 4].map(|()| u16::try_from(random.below(65_536)).expect("16 bits"));
            peer([0x2001, 0xdb8, 1, 2, a, b, c, d])
        });
        assert_eq!(count(&service, own).await, 10);
        let next = peer([0x2001, 0xdb8, 1, 3, 0, 0, 0, 1]);
        assert_eq!(send(&service, next).await.status(), StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ipv4_address_is_the_same_client_however_it_is_written() {
    let (services, _server) = services(behind_proxies());
    for service in services {
        let ways = (0..1000).map(|way| match way % 5 {
            0 => peer(address("192.0.2.1")),
            1 => peer(address("::ffff:192.0.2.1")),
            2 => with(
                peer(address("10.0.0.1")),
                "x-forwarded-for",
                b"192.0.2.1:80",
            ),
            3 => with(
                peer(address("::ffff:10.0.0.1")),
                "x-forwarded-for",
                b"::ffff:192.0.2.1",
            ),
            _ => with(
                peer(address("fd00::1")),
                "x-forwarded-for",
                b"[::ffff:c000:201]:80",
            ),
        });
        assert_eq!(count(&service, ways).await, 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_the_header_out_or_sends_it_twice_is_anonymous() {
    let (services, _server) = services(Key::header("x-api-key"));
    for service in services {
        let anonymous = (0..1000_u32).map(|number| {
            let request = peer(address("192.0.2.1"));
            let value = number.to_string();
            match number % 3 {
                0 => request,
                1 => with(request, "x-api-key", b""),
                _ => with(
                    with(request, "x-api-key", value.as_bytes()),
                    "x-api-key",
                    b"mine",
                ),
            }
        });
        assert_eq!(count(&service, anonymous).await, 10);
        let named = with(peer(address("192.0.2.1")), "x-api-key", b"mine");
        assert_eq!(send(&service, named).await.status(), StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_nobody_share_one_quota() {
    let (services, _server) = services(Key::client_ip());
    for service in services {
        let nobody = (0..100).map(|_| Request::new(Full::default()));
        assert_eq!(count(&service, nobody).await, 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_names_are_their_proxy() {
    let (services, _server) = services(behind_proxies().forwarded());
    for service in services {
        let hidden = (0..1000).map(|number| {
            let value = match number % 4 {
                0 => format!("for=_{number}"),
                1 => format!("for=\"_{number}:_{number}\";proto=https"),
                2 => "for=unknown, for=\"[fe80::1%eth0]\"".to_owned(),
                _ => format!("for=192.0.2.1;for=192.0.2.{}", number % 250),
            };
            with(peer(address("10.0.0.1")), "forwarded", value.as_bytes())
        });
        assert_eq!(count(&service, hidden).await, 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kilobytes_of_hops_are_neither_free_nor_an_error() {
    const PIECES: [&str; 12] = [
        "10.0.0.1",
        "192.0.2.1",
        ",",
        ", ",
        ";",
        "\"",
        "for=",
        "\\",
        "[",
        "]:",
        "unknown",
        "\t",
    ];
    for key in [behind_proxies(), behind_proxies().forwarded()] {
        let (services, _server) = services(key);
        for service in services {
            let mut random = Random::new(seed());
            let noise = (0..300).map(|number| {
                let mut value = String::new();
                while value.len() < 4096 {
                    let piece = if number % 3 == 0 {
                        number % 12
                    } else {
                        random.below(12)
                    };
                    value += PIECES[usize::try_from(piece).expect("small")];
                }
                let request = with(peer(address("10.0.0.1")), "forwarded", value.as_bytes());
                with(request, "x-forwarded-for", value.as_bytes())
            });
            let _any = count(&service, noise).await;
            let trusted = (0..100).map(|number| {
                let hops = "10.9.8.7,".repeat(450 + number);
                let hops = format!("192.0.2.{number}, {hops} 10.0.0.3");
                let value = hops.replace("10.", "for=10.").replace("192", "for=192");
                let request = with(peer(address("10.0.0.1")), "forwarded", value.as_bytes());
                with(request, "x-forwarded-for", hops.as_bytes())
            });
            assert!(
                count(&service, trusted).await <= 10,
                "the 32nd hop is the client"
            );
        }
    }
}
