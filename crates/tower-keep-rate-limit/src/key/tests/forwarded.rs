use std::net::IpAddr;

use http::HeaderMap;
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::key::{address::address, hops::Report};

fn headers<B: AsRef<[u8]>>(lines: &[B]) -> HeaderMap {
    with_lines(request(), "forwarded", lines).headers
}

fn hops(line: &str) -> Vec<Option<IpAddr>> {
    Report::Forwarded.hops(&headers(&[line])).collect()
}

fn ip(address: &str) -> Option<IpAddr> {
    Some(address.parse().expect("an address"))
}

#[test]
fn for_is_found_among_the_parameters() {
    for line in [
        "for=192.0.2.1",
        "FOR=192.0.2.1",
        "For=\"192.0.2.1:80\"",
        "proto=https;for=192.0.2.1;by=10.0.0.1",
        "by=\";for=1.1.1.1\"; for=192.0.2.1 ;host=\"a,b\"",
        "for=192.0.2.1;ext=\"a\\\",for=1.1.1.1\"",
        "for=\"[::ffff:192.0.2.1]:80\"",
    ] {
        assert_eq!(hops(line), [ip("192.0.2.1")], "in {line}");
    }
    assert_eq!(
        hops("for=\"[2001:db8::1]:80\", for=192.0.2.1"),
        [ip("192.0.2.1"), ip("2001:db8::1")]
    );
}

#[test]
fn what_is_no_address_is_nothing() {
    for line in [
        "",
        "for",
        "for=",
        "for=\"",
        "for=\"\"",
        "for=unknown",
        "for=\"_hidden\"",
        "by=192.0.2.1",
        "192.0.2.1",
        "for=192.0.2.1;for=192.0.2.1",
        "for=\"192.0.2.1",
        "for=192.0.2.1\"",
        "for=\\\"192.0.2.1\\\"",
        "for=\"192\\.0.2.1\"",
        "for=\"192.0.2.1\"x",
        "xfor=192.0.2.1",
    ] {
        assert_eq!(hops(line), [None], "in {line}");
    }
}

#[test]
fn a_quotation_mark_of_the_client_swallows_nothing_of_the_proxys() {
    for spoofed in [
        "for=\"",
        "for=1.1.1.1;x=\"",
        "\\",
        "x=\"\\",
        "for=1.1.1.1,\"\"\"",
    ] {
        let line = format!("{spoofed}, for=192.0.2.1, for=\"10.0.0.2\"");
        let request = with_lines(from_peer("10.0.0.1"), "forwarded", &[line]);
        assert_eq!(
            who(behind_proxies().forwarded(), &request),
            at("192.0.2.1"),
            "after {spoofed}"
        );
    }
}

/// Splits from the left, one character after the other, as RFC 9110 defines lists and quoted strings.
fn split(list: &str, separator: char) -> Vec<String> {
    let (mut parts, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for character in list.chars() {
        if character == separator && !quoted {
            parts.push(String::new());
            continue;
        }
        if character == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && character == '\\' && !escaped;
        parts.last_mut().expect("one at least").push(character);
    }
    parts
}

fn reference(line: &str) -> Vec<Option<IpAddr>> {
    let hop = |element: String| {
        let pairs = split(&element, ';');
        let mut values = pairs.iter().filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then_some(value)
        });
        let value = values.next().filter(|_| values.next().is_none())?.trim();
        address(value.trim_matches('"').as_bytes())
    };
    split(line, ',').into_iter().rev().map(hop).collect()
}

fn parameter() -> impl Strategy<Value = String> {
    let node = select(vec![
        "192.0.2.1",
        "\"192.0.2.7:80\"",
        "\"[2001:db8::1]\"",
        "\"[2001:db8::2]:_p\"",
        "_hidden",
        "unknown",
        "\"\"",
        "\"10.0.0.1, for=1.1.1.1; \"",
        "\"\\\"\"",
        "\"\\\\\"",
    ]);
    let text = vec(
        select(vec!["a", ",", ";", "=", " ", "\\\"", "\\\\", "\\,"]),
        0..8,
    );
    prop_oneof![
        (select(vec!["for", "For", "FOR"]), node).prop_map(|(name, node)| format!("{name}={node}")),
        text.prop_map(|text| format!("ext=\"{}\"", text.concat())),
        Just("proto=https".to_owned()),
    ]
}

fn element() -> impl Strategy<Value = String> {
    (vec(parameter(), 0..4), select(vec![";", "; ", " ;"]))
        .prop_map(|(pairs, separator)| pairs.join(separator))
}

proptest! {
    #[test]
    fn from_the_right_is_the_same_as_from_the_left(
        lines in vec(vec(element(), 1..5), 1..4),
        comma in select(vec![",", ", ", " ,\t"]),
    ) {
        let lines: Vec<_> = lines.iter().map(|elements| elements.join(comma)).collect();
        let found: Vec<_> = Report::Forwarded.hops(&headers(&lines)).collect();
        prop_assert_eq!(found, reference(&lines.join(",")));
    }

    #[test]
    fn no_bytes_make_it_panic(lines in vec(vec(select(BYTES), 0..80), 0..4)) {
        for report in [Report::Forwarded, Report::XForwardedFor] {
            let mut headers = headers(&lines);
            for line in headers.get_all("forwarded").iter().cloned().collect::<Vec<_>>() {
                headers.append("x-forwarded-for", line);
            }
            prop_assert!(report.hops(&headers).count() <= 4 * 81);
        }
    }

    #[test]
    fn what_the_client_writes_does_not_matter(spoofed in vec(select(BYTES), 0..40)) {
        let line = [&spoofed[..], b", for=192.0.2.1;by=\"a,b\", for=\"10.0.0.2\""].concat();
        let request = with_lines(from_peer("10.0.0.1"), "forwarded", &[spoofed, line]);
        prop_assert_eq!(who(behind_proxies().forwarded(), &request), at("192.0.2.1"));
    }
}

/// Those that mean something, and some that do not.
const BYTES: &[u8] = b"\"\",,;;==\\\\[]:. \tfForR_012a\x80\xff";
