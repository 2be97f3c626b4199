//! The client's address.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderMap, request::Parts};

use super::{
    Key,
    hops::Report,
    leaf::{Leaf, One},
    networks::Networks,
    peer,
};
use tower_keep_store::ConfigError;

/// The client's address as a key; made by [`Key::client_ip`].
///
/// The address is that of the other end of the connection: a [`PeerAddr`](tower_keep_store::PeerAddr) in
/// the request's extensions, or what a server of axum (`ConnectInfo<SocketAddr>`) or tonic
/// (`TcpConnectInfo`: without TLS) leaves there, with the feature of that name. Where there is none, the
/// key is missing. A server behind a Unix socket can put a `PeerAddr` of `127.0.0.1` there, and trust it.
///
/// IPv4 addresses that are mapped to IPv6 count as IPv4, everywhere.
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientIp {
    trusted: Networks,
    allowed: Networks,
    report: Report,
    ipv6_prefix: u8,
    invalid: Option<ConfigError>,
}

impl ClientIp {
    pub(super) fn new() -> Self {
        Self {
            trusted: Networks::default(),
            allowed: Networks::default(),
            report: Report::XForwardedFor,
            ipv6_prefix: 64,
            invalid: None,
        }
    }

    /// Networks (`10.0.0.0/8`) and addresses of proxies whose word is taken for whom they speak for.
    /// Default: none, and no header is read.
    ///
    /// If the other end of the connection is one of them, `X-Forwarded-For` is read from the right, each
    /// hop as its successor reported it, up to the first that is not one of them: that is the client.
    /// What is left of it anybody may have written. Where a trusted proxy reports something that is no
    /// address, the client is that proxy; all such requests share a quota. If all hops are trusted, the
    /// client is the farthest; of more than 32, the 32nd. Never trust a network in which there are clients:
    /// they would be whoever they claim to be.
    pub fn trusted_proxies<I, N>(mut self, networks: I) -> Self
    where
        I: IntoIterator<Item = N>,
        N: AsRef<str>,
    {
        let added = self.trusted.add_all(networks);
        self.note(added)
    }

    /// Reads `Forwarded` (RFC 7239) of trusted proxies. Default: `X-Forwarded-For`. Never both: a proxy
    /// that writes one of them passes on the other as the client sent it. Choose the one that your proxies
    /// write.
    pub fn forwarded(mut self) -> Self {
        self.report = Report::Forwarded;
        self
    }

    /// How many bits of an IPv6 address count. Default: 64, which is what a single household or machine
    /// is given at least; some are given 56 or 48. With 128, whoever has a /64 has 2⁶⁴ quotas.
    pub fn ipv6_prefix(mut self, bits: u8) -> Self {
        self.ipv6_prefix = bits;
        self
    }

    /// Networks and addresses that are not limited: no policy with this key concerns them. Default: none.
    pub fn allow<I, N>(mut self, networks: I) -> Self
    where
        I: IntoIterator<Item = N>,
        N: AsRef<str>,
    {
        let added = self.allowed.add_all(networks);
        self.note(added)
    }

    /// See [`Key::and`].
    pub fn and(self, other: impl Into<Key>) -> Key {
        Key::from(self).and(other)
    }

    /// See [`Key::or`].
    pub fn or(self, other: impl Into<Key>) -> Key {
        Key::from(self).or(other)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(1..=128).contains(&self.ipv6_prefix) {
            return Err(ConfigError::new("an IPv6 prefix has 1 to 128 bits"));
        }
        self.invalid.clone().map_or(Ok(()), Err)
    }

    pub(super) fn find(&self, request: &Parts) -> One<'static> {
        let Some(peer) = peer::address(&request.extensions) else {
            return One::Missing;
        };
        let client = self.client(peer.to_canonical(), &request.headers);
        if self.allowed.contain(client) {
            One::Exempt
        } else {
            One::Present(Leaf::Address(self.group(client)))
        }
    }

    /// The address all of whose group share a quota.
    pub(super) fn group(&self, address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let host = 128 - u32::from(self.ipv6_prefix.min(128));
                let mask = u128::MAX.checked_shl(host).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
            address => address,
        }
    }

    /// Follows the trusted proxies back to the first hop that is not one of them.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        if !self.trusted.contain(peer) {
            return client;
        }
        for hop in self.report.hops(headers).take(MOST_HOPS) {
            let Some(hop) = hop else { break };
            client = hop;
            if !self.trusted.contain(hop) {
                break;
            }
        }
        client
    }

    fn note(mut self, added: Result<(), ConfigError>) -> Self {
        self.invalid = self.invalid.or(added.err());
        self
    }
}

/// No chain of proxies is that long.
const MOST_HOPS: usize = 32;
