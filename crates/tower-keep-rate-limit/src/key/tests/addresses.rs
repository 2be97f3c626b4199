use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn reported(peer: &str, lines: &[&str]) -> Who {
    who(
        behind_proxies(),
        &with_lines(from_peer(peer), "x-forwarded-for", lines),
    )
}

#[test]
fn without_a_peer_there_is_no_address() {
    let request = with_lines(request(), "x-forwarded-for", &["192.0.2.1"]);
    assert_eq!(who(behind_proxies(), &request), Who::Nobody);
}

#[cfg(feature = "axum")]
#[test]
fn the_peer_is_found_where_axum_leaves_it() {
    let mut request = request();
    let peer = std::net::SocketAddr::from(([192, 0, 2, 1], 80));
    request.extensions.insert(axum::extract::ConnectInfo(peer));
    assert_eq!(who(Key::client_ip(), &request), at("192.0.2.1"));
}

#[cfg(feature = "tonic")]
#[test]
fn the_peer_is_found_where_tonic_leaves_it() {
    let mut request = request();
    request
        .extensions
        .insert(tonic::transport::server::TcpConnectInfo {
            local_addr: None,
            remote_addr: Some(([192, 0, 2, 1], 80).into()),
        });
    assert_eq!(who(Key::client_ip(), &request), at("192.0.2.1"));
}

#[test]
fn whatever_an_untrusted_peer_reports_it_is_itself() {
    let found: HashSet<_> = (0..1000_u32)
        .map(|number| std::net::Ipv4Addr::from(0x0a00_0000 + number * 7919).to_string())
        .map(|claim| reported("192.0.2.1", &[&claim, "10.0.0.1"]))
        .collect();
    assert_eq!(found, [at("192.0.2.1")].into());
}

#[test]
fn a_prefix_of_ipv6_is_one_client() {
    let key = || Key::client_ip().ipv6_prefix(48);
    let found: HashSet<_> = (0..1000)
        .map(|number| format!("2001:db8:1:2:{number:x}:{:x}::", number * 31))
        .map(|peer| who(Key::client_ip(), &from_peer(&peer)))
        .collect();
    assert_eq!(found, [at("2001:db8:1:2::1")].into());
    assert_ne!(at("2001:db8:1:2::"), at("2001:db8:1:3::"));
    assert_eq!(
        who(key(), &from_peer("2001:db8:1:2::")),
        who(key(), &from_peer("2001:db8:1:3::"))
    );
    let whole = || Key::client_ip().ipv6_prefix(128);
    assert_ne!(
        who(whole(), &from_peer("2001:db8::1")),
        who(whole(), &from_peer("2001:db8::2"))
    );
}

#[test]
fn an_address_from_outside_is_grouped_as_the_key_groups_it() {
    let key = Key::user().or(Key::client_ip().ipv6_prefix(56));
    let subject = Subject::address("2001:db8:0:1ff::1".parse().expect("an address"));
    let found = who(key.clone(), &from_peer("2001:db8:0:100::2"));
    assert_ne!(found, somebody(&subject));
    assert_eq!(found, named(&key, &subject));
    assert_eq!(named(&Key::user(), &subject), somebody(&subject));
}

#[test]
fn a_mapped_address_is_that_of_ipv4() {
    let client = || at("192.0.2.1");
    assert_eq!(at("::ffff:192.0.2.1"), client());
    assert_ne!(client(), at("192.0.2.2"), "they are not one /64");
    assert_eq!(reported("::ffff:192.0.2.1", &["192.0.2.2"]), client());
    assert_eq!(reported("::ffff:10.0.0.1", &["::ffff:192.0.2.1"]), client());
    assert_eq!(
        reported("10.0.0.1", &["192.0.2.1, [::ffff:10.0.0.2]:80"]),
        client()
    );
}

#[test]
fn what_proxies_report_is_read_up_to_the_first_that_is_not_trusted() {
    let client = || at("192.0.2.1");
    assert_eq!(reported("10.0.0.1", &["192.0.2.1"]), client());
    assert_eq!(reported("10.0.0.1", &["1.1.1.1, 192.0.2.1:80"]), client());
    assert_eq!(reported("10.0.0.1", &["\",192.0.2.1,10.0.0.2"]), client());
    assert_eq!(
        reported("2001:db8:ffff::1", &["192.0.2.1, 10.0.0.2:80"]),
        client()
    );
    assert_eq!(
        reported("10.0.0.1", &["1.1.1.1, 192.0.2.1", "10.0.0.3,10.0.0.2"]),
        client()
    );
    assert_eq!(reported("10.0.0.1", &[]), at("10.0.0.1"));
    assert_eq!(
        reported("10.0.0.1", &["10.0.0.3, 10.0.0.2"]),
        at("10.0.0.3")
    );
}

#[test]
fn what_is_no_address_is_whoever_reported_it() {
    for line in [
        "unknown",
        "",
        "_hidden",
        "1.1.1.1,",
        "1.1.1.1, x",
        "\"1.1.1.1",
    ] {
        assert_eq!(reported("10.0.0.1", &[line]), at("10.0.0.1"), "{line:?}");
        let behind = format!("{line}, 10.0.0.2");
        assert_eq!(reported("10.0.0.1", &[&behind]), at("10.0.0.2"), "{line:?}");
    }
}

#[test]
fn at_most_32_hops_are_read() {
    let hops: Vec<_> = (0..400)
        .rev()
        .map(|hop| format!("10.1.{}.{}", hop / 256, hop % 256))
        .collect();
    let line = hops.join(",");
    assert!(line.len() > 4096);
    assert_eq!(reported("10.0.0.1", &[&line]), at("10.1.0.31"));
    let lines: Vec<_> = hops.iter().map(String::as_str).collect();
    assert_eq!(reported("10.0.0.1", &lines), at("10.1.0.31"));
}

#[test]
fn forwarded_is_not_read_unless_it_was_chosen_and_then_nothing_else() {
    let request = with_lines(from_peer("10.0.0.1"), "forwarded", &["for=192.0.2.1"]);
    let request = with_lines(request, "x-forwarded-for", &["192.0.2.2"]);
    assert_eq!(who(behind_proxies(), &request), at("192.0.2.2"));
    assert_eq!(who(behind_proxies().forwarded(), &request), at("192.0.2.1"));
}

proptest! {
    #[test]
    fn what_is_left_of_the_client_does_not_matter(spoofed in "[ -~]{0,60}") {
        let line = format!("{spoofed}, 192.0.2.1, 10.0.0.2");
        prop_assert_eq!(reported("10.0.0.1", &[&spoofed, &line]), at("192.0.2.1"));
    }
}
