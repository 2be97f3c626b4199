//! The hops of a request, as proxies report them.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, header};

use super::{address::address, split::SplitFromRight};

/// Which header is believed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Report {
    XForwardedFor,
    Forwarded,
}

impl Report {
    /// Who sent the request to the last proxy, to the last but one, and so on; nothing for what is no
    /// address. Several lines are one list. Whoever reads stops at the first hop not to be trusted: nothing
    /// beyond it is looked at.
    pub(super) fn hops(self, headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
        let lines = headers.get_all(self.name()).iter().rev();
        lines
            .flat_map(move |line| self.elements(line.as_bytes()))
            .map(move |element| self.address(element?))
    }

    fn name(self) -> HeaderName {
        match self {
            Self::XForwardedFor => X_FORWARDED_FOR,
            Self::Forwarded => header::FORWARDED,
        }
    }

    fn elements(self, line: &[u8]) -> SplitFromRight<'_> {
        match self {
            Self::XForwardedFor => SplitFromRight::plain(line, b','),
            Self::Forwarded => SplitFromRight::quoting(line, b','),
        }
    }

    fn address(self, element: &[u8]) -> Option<IpAddr> {
        match self {
            Self::XForwardedFor => address(element),
            Self::Forwarded => address(unquoted(parameter_for(element)?)),
        }
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The value of `for`. Nothing if it is there twice: which one is meant?
fn parameter_for(element: &[u8]) -> Option<&[u8]> {
    let mut found = None;
    for pair in SplitFromRight::quoting(element, b';') {
        let pair = pair?;
        let Some(equals) = pair.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        if pair[..equals].trim_ascii().eq_ignore_ascii_case(b"for")
            && found.replace(pair[equals + 1..].trim_ascii()).is_some()
        {
            return None;
        }
    }
    found
}

/// The value without its quotation marks. Backslashes stay: nobody needs them to write an address.
fn unquoted(value: &[u8]) -> &[u8] {
    value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""))
        .unwrap_or(value)
}
