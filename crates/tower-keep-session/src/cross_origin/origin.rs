//! Where pages come from, and where requests go.

use std::net::Ipv6Addr;

/// Scheme, host and port of a page (RFC 6454), in one form: what is equal is the same origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    scheme: String,
    host: Host,
}

/// Host and port, in one form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Host {
    name: String,
    port: Option<u16>,
}

impl Origin {
    /// Of `scheme://host` or `scheme://host:port`, and nothing else.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or("it is not scheme://host, perhaps with :port")?;
        let is_letter = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
        let mut others = scheme.bytes();
        if !is_letter || !others.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        {
            return Err("its scheme is none");
        }
        let mut host = Host::parse(rest)?;
        let scheme = scheme.to_ascii_lowercase();
        host.port = host.port.or(default_port(&scheme));
        Ok(Self { scheme, host })
    }

    /// Whether a request to this host stays within the origin, as far as the request can tell. It does not say
    /// its scheme, so a host without a port has that of the page's.
    pub(super) fn is_at(&self, host: &Host) -> bool {
        let default = match &*self.scheme {
            scheme @ ("http" | "https") => default_port(scheme),
            // Pages of applications and extensions are served by nobody.
            _ => return false,
        };
        self.host.name == host.name && self.host.port == host.port.or(default)
    }
}

impl Host {
    /// Of `host` or `host:port`.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or("its [ is not closed")?;
                (address_name(address)?, port)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let (name, port) = text.split_at(end);
                (registered_name(name)?, port)
            }
        };
        Ok(Self {
            name,
            port: port_of(port)?,
        })
    }
}

fn address_name(address: &str) -> Result<String, &'static str> {
    let address: Ipv6Addr = address.parse().map_err(|_| "in [ ] is an IPv6 address")?;
    Ok(format!("[{address}]"))
}

/// Names of other scripts travel as `xn--…`.
fn registered_name(name: &str) -> Result<String, &'static str> {
    let is_in_names = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if name.is_empty() {
        return Err("it has no host");
    }
    if !name.bytes().all(is_in_names) {
        return Err("a host has letters, digits, and -._~, and nothing follows it but a port");
    }
    Ok(name.to_ascii_lowercase())
}

/// Of `:8080`, or of nothing.
fn port_of(text: &str) -> Result<Option<u16>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_prefix(':').unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("nothing follows a host but : and a port");
    }
    let port = digits.parse().map_err(|_| "a port is at most 65535")?;
    Ok(Some(port))
}

/// Of the schemes that browsers leave it out for.
fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_origin_is_equal() {
        for (one, other) in [
            ("https://a.example", "HTTPS://A.Example:443"),
            ("http://a.example", "http://a.example:80"),
            ("http://[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]:443"),
            ("app://Host", "app://host"),
        ] {
            assert_eq!(Origin::parse(one), Origin::parse(other), "{one} {other}");
            assert!(Origin::parse(one).is_ok(), "{one}");
        }
        for (one, other) in [
            ("https://a.example", "http://a.example"),
            ("https://a.example", "https://a.example:8443"),
            ("https://a.example", "https://a.example."),
            ("https://a.example", "https://b.a.example"),
            ("http://127.0.0.1", "http://localhost"),
            ("app://host", "app://host:80"),
        ] {
            assert_ne!(Origin::parse(one), Origin::parse(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "null",
            "*",
            "a.example",
            "//a.example",
            "://a.example",
            "https:a.example",
            "https://",
            "https://:443",
            "https://a.example/",
            "https://a.example/path",
            "https://a.example?query",
            "https://a.example#fragment",
            "https://*.example",
            "https://user@a.example",
            "https://a.example:",
            "https://a.example:x",
            "https://a.example:+1",
            "https://a.example:65536",
            "https://a.example:1:2",
            "https://a.example https://b.example",
            " https://a.example",
            "https://[::1",
            "https://[::1]x",
            "https://[a.example]",
            "https://::1",
            "https://bücher.example",
            "1http://a.example",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }
}
