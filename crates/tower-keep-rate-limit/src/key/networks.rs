//! Networks, and whether an address is in one of them.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use tower_keep_store::ConfigError;

/// Some networks of either family.
#[derive(Clone, Debug, Default)]
pub(super) struct Networks(Vec<IpNet>);

impl Networks {
    pub(super) fn add_all<N: AsRef<str>>(
        &mut self,
        networks: impl IntoIterator<Item = N>,
    ) -> Result<(), ConfigError> {
        for network in networks {
            let network = network.as_ref();
            self.0.push(parse(network).ok_or_else(|| {
                ConfigError::new(format!("{network:?} is neither a network nor an address"))
            })?);
        }
        Ok(())
    }

    /// Whether one of them has the address, which is canonical.
    pub(super) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

fn parse(network: &str) -> Option<IpNet> {
    match network.parse::<IpAddr>() {
        Ok(address) => Some(address.to_canonical().into()),
        Err(_) => Some(match network.parse().ok()? {
            IpNet::V6(network) => unmapped(network).map_or(network.into(), Into::into),
            network => network,
        }),
    }
}

/// The IPv4 network that was written as one of IPv6.
fn unmapped(network: Ipv6Net) -> Option<Ipv4Net> {
    let bits = network.prefix_len().checked_sub(MAPPED_PREFIX)?;
    Ipv4Net::new(network.addr().to_ipv4_mapped()?, bits).ok()
}

/// The length of `::ffff:0:0/96`.
const MAPPED_PREFIX: u8 = 96;

#[cfg(test)]
mod tests {
    use super::*;

    fn contain(networks: &[&str], address: &str) -> bool {
        let mut set = Networks::default();
        set.add_all(networks).expect("networks");
        set.contain(address.parse().expect("an address"))
    }

    #[test]
    fn networks_and_bare_addresses_are_understood() {
        assert!(contain(&["10.0.0.0/8"], "10.255.0.1"));
        assert!(!contain(&["10.0.0.0/8"], "11.0.0.1"));
        assert!(contain(&["::1", "192.0.2.1"], "192.0.2.1"));
        assert!(!contain(&["192.0.2.1"], "192.0.2.2"));
        assert!(contain(&["2001:db8::/32"], "2001:db8:1::"));
        assert!(!contain(&[], "10.0.0.1"));
    }

    #[test]
    fn mapped_networks_are_those_of_ipv4() {
        assert!(contain(&["::ffff:10.0.0.0/104"], "10.1.2.3"));
        assert!(!contain(&["::ffff:10.0.0.0/104"], "11.1.2.3"));
        assert!(contain(&["::ffff:10.0.0.1"], "10.0.0.1"));
        assert!(!contain(&["::/0"], "10.0.0.1"), "all of IPv6 only");
    }

    #[test]
    fn what_is_no_network_is_named() {
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "example.org",
            "::/129",
            " ::1",
        ] {
            let error = Networks::default().add_all([wrong]).expect_err(wrong);
            assert!(error.to_string().contains(&format!("{wrong:?}")));
        }
    }
}
