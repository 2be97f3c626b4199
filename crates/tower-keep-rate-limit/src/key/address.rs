//! Addresses as proxies write them.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str,
};

/// The address of `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:80`, as IPv4
/// where it is mapped. Nothing of anything else: `unknown`, `_hidden`, a name, a zone.
pub(super) fn address(node: &[u8]) -> Option<IpAddr> {
    let node = str::from_utf8(node.trim_ascii()).ok()?;
    let address = match node.strip_prefix('[') {
        Some(rest) => bracketed(rest)?.into(),
        None => node.parse().ok().or_else(|| with_port(node))?,
    };
    Some(address.to_canonical())
}

fn bracketed(rest: &str) -> Option<Ipv6Addr> {
    let (address, port) = rest.split_once(']')?;
    if !port.is_empty() && !is_port(port.strip_prefix(':')?) {
        return None;
    }
    address.parse().ok()
}

fn with_port(node: &str) -> Option<IpAddr> {
    let (address, port) = node.rsplit_once(':')?;
    let address: Ipv4Addr = address.parse().ok()?;
    is_port(port).then_some(address.into())
}

/// A number, or, by RFC 7239, a name that begins with `_`.
fn is_port(port: &str) -> bool {
    match port.strip_prefix('_') {
        Some(name) => !name.is_empty() && name.bytes().all(is_name),
        None => port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok(),
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_ports() {
        for (node, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            (" \t192.0.2.1 ", "192.0.2.1"),
            ("192.0.2.1:65535", "192.0.2.1"),
            ("192.0.2.1:_http", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:DB8::80", "2001:db8::80"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:c000:201]:80", "192.0.2.1"),
        ] {
            assert_eq!(
                address(node.as_bytes()),
                expected.parse().ok(),
                "from {node:?}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_none() {
        for node in [
            "",
            " ",
            "unknown",
            "_hidden",
            "localhost",
            "192.0.2",
            "192.0.2.1:",
            "192.0.2.1:+80",
            "192.0.2.1:65536",
            "192.0.2.1:80:80",
            "192.0.2.1 192.0.2.2",
            "0x7f.0.0.1",
            "010.0.0.1",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]80",
            "[2001:db8::1]:",
            "[192.0.2.1]",
            "[2001:db8::1]:_",
            "fe80::1%eth0",
            "\"192.0.2.1\"",
            "[]",
            "[",
            ":",
            ":::",
        ] {
            assert_eq!(address(node.as_bytes()), None, "from {node:?}");
        }
        assert_eq!(address(b"192.0.2.1\xff"), None);
    }
}
