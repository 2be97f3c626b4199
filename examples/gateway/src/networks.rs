//! Networks, and whether an address lies in them.

use std::net::IpAddr;

use ipnet::IpNet;

/// Proxies whose word is taken.
#[derive(Clone, Debug)]
pub(crate) struct Networks(Box<[IpNet]>);

impl Networks {
    pub(crate) fn new(networks: &[IpNet]) -> Self {
        Self(networks.into())
    }

    /// IPv4 addresses that are mapped to IPv6 count as IPv4.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}
