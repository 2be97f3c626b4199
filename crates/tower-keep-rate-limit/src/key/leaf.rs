//! One thing that says who somebody is.

use std::{borrow::Cow, net::IpAddr};

use tower_keep_store::PersonalKey;

/// One thing that says who somebody is, borrowed from a request or named by somebody else. Both become key
/// material here and nowhere else, so that they are the same for the same somebody.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Leaf<'a> {
    Header(Cow<'a, [u8]>),
    Address(IpAddr),
    User(Cow<'a, str>),
    Route(Cow<'a, str>, Cow<'a, str>),
    Custom(Cow<'a, [u8]>),
    Anonymous,
}

/// What one part of a key finds in a request.
pub(super) enum One<'a> {
    Present(Leaf<'a>),
    Missing,
    Exempt,
}

impl<'a> Leaf<'a> {
    pub(super) fn route(method: &'a str, path: &'a str) -> Self {
        Self::Route(defined(method).into(), path.into())
    }

    /// The kind comes first, as a part of its own: a user who is named like an address is another.
    pub(super) fn push_to(&self, into: &mut PersonalKey) {
        into.push(&[self.tag()]);
        match self {
            Self::Header(bytes) | Self::Custom(bytes) => into.push(bytes),
            Self::Address(IpAddr::V4(address)) => into.push(&address.octets()),
            Self::Address(IpAddr::V6(address)) => into.push(&address.octets()),
            Self::User(name) => into.push(name.as_bytes()),
            Self::Route(method, path) => {
                into.push(method.as_bytes());
                into.push(path.as_bytes());
            }
            Self::Anonymous => {}
        }
    }

    pub(super) fn into_owned(self) -> Leaf<'static> {
        match self {
            Self::Header(bytes) => Leaf::Header(bytes.into_owned().into()),
            Self::Address(address) => Leaf::Address(address),
            Self::User(name) => Leaf::User(name.into_owned().into()),
            Self::Route(method, path) => {
                Leaf::Route(method.into_owned().into(), path.into_owned().into())
            }
            Self::Custom(bytes) => Leaf::Custom(bytes.into_owned().into()),
            Self::Anonymous => Leaf::Anonymous,
        }
    }

    /// Of which kind it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Header(_) => "header",
            Self::Address(_) => "address",
            Self::User(_) => "user",
            Self::Route(..) => "route",
            Self::Custom(_) => "custom",
            Self::Anonymous => "anonymous",
        }
    }

    fn tag(&self) -> u8 {
        match self {
            Self::Header(_) => b'H',
            Self::Address(_) => b'I',
            Self::User(_) => b'U',
            Self::Route(..) => b'R',
            Self::Custom(_) => b'F',
            Self::Anonymous => b'A',
        }
    }
}

impl<'a> From<Option<Leaf<'a>>> for One<'a> {
    fn from(leaf: Option<Leaf<'a>>) -> Self {
        leaf.map_or(Self::Missing, Self::Present)
    }
}

/// The method, or `other`: a client that makes up methods shall not have a quota for each.
fn defined(method: &str) -> &str {
    match method {
        "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "CONNECT" | "OPTIONS" | "TRACE" | "PATCH" => {
            method
        }
        _ => "other",
    }
}
