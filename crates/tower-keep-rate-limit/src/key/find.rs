//! Finding who sent a request.

use http::{HeaderName, request::Parts};
use tower_keep_store::PersonalKey;

use super::{
    Key, Node,
    leaf::{Leaf, One},
    user,
};

/// What a key finds in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Who sent it.
    Present,
    /// Nothing: the request does not say.
    Missing,
    /// Somebody who is not limited.
    Exempt,
}

impl Key {
    /// Adds to `into` who sent the request. Unless it is present, what was added is of no use.
    ///
    /// A key [that takes time](Self::is_async) is missing here.
    pub(crate) fn find(&self, request: &Parts, into: &mut PersonalKey) -> Found {
        match &*self.0 {
            Node::And(first, second) => {
                let first = first.find(request, into);
                first.and(second.find(request, into))
            }
            Node::Or(first, second) => {
                // The first may have found half of what it looks for.
                let before = into.clone();
                match first.find(request, into) {
                    Found::Missing => {
                        *into = before;
                        second.find(request, into)
                    }
                    found => found,
                }
            }
            node => match node.find_one(request) {
                One::Present(leaf) => {
                    leaf.push_to(into);
                    Found::Present
                }
                One::Missing => Found::Missing,
                One::Exempt => Found::Exempt,
            },
        }
    }
}

impl Found {
    /// Whoever is not limited as one is not limited as both, whatever else is missing.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Exempt, _) | (_, Self::Exempt) => Self::Exempt,
            (Self::Missing, _) | (_, Self::Missing) => Self::Missing,
            (Self::Present, Self::Present) => Self::Present,
        }
    }
}

impl Node {
    /// What a key of a single part finds at once.
    pub(super) fn find_one<'a>(&self, request: &'a Parts) -> One<'a> {
        match self {
            Self::ClientIp(client) => client.find(request),
            Self::Header(_, name) => name
                .as_ref()
                .and_then(|name| header(request, name))
                .map(|value| Leaf::Header(value.into()))
                .into(),
            Self::User => user::name(&request.extensions)
                .map(|name| Leaf::User(name.into()))
                .into(),
            Self::Route => {
                let path = pattern(request).unwrap_or_else(|| request.uri.path());
                One::Present(Leaf::route(request.method.as_str(), path))
            }
            Self::Function(function) => function(request)
                .map(|bytes| Leaf::Custom(bytes.into()))
                .into(),
            Self::AsyncFunction(_) | Self::And(..) | Self::Or(..) => One::Missing,
        }
    }
}

/// The value of the only line.
fn header<'a>(request: &'a Parts, name: &HeaderName) -> Option<&'a [u8]> {
    let mut lines = request.headers.get_all(name).iter();
    let value = lines.next()?.as_bytes();
    (!value.is_empty() && lines.next().is_none()).then_some(value)
}

#[cfg(feature = "axum")]
fn pattern(request: &Parts) -> Option<&str> {
    use axum::extract::MatchedPath;

    request
        .extensions
        .get::<MatchedPath>()
        .map(MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
fn pattern(_request: &Parts) -> Option<&str> {
    None
}
