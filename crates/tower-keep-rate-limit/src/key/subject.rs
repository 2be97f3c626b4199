//! Somebody who is limited, named from outside.

use std::{fmt, net::IpAddr};

use tower_keep_store::PersonalKey;

use super::{Key, Node, leaf::Leaf};

/// Somebody who is limited, named from outside: to look at what is left to them, to reset or ban them.
///
/// It says what the policy's [`Key`] finds in their requests. For a key of [several](Key::and), name each
/// part, in the key's order.
///
/// ```
/// # use tower_keep_rate_limit::Subject;
/// let user = Subject::user("ada");
/// let on_a_route = Subject::user("ada").and(Subject::route("GET", "/users/{id}"));
/// # let _ = (user, on_a_route);
/// ```
///
/// `Debug` does not say who it is.
#[derive(Clone, PartialEq, Eq, Hash)]
#[must_use]
pub struct Subject(Vec<Leaf<'static>>);

impl Subject {
    /// Who sends this value, for [`Key::header`].
    pub fn header(value: impl Into<Vec<u8>>) -> Self {
        Self::from(Leaf::Header(value.into().into()))
    }

    /// The user of this name, for [`Key::user`].
    pub fn user(name: impl Into<String>) -> Self {
        Self::from(Leaf::User(name.into().into()))
    }

    /// Who has this address, for [`Key::client_ip`]: with IPv6, everybody in its prefix.
    pub fn address(address: IpAddr) -> Self {
        Self::from(Leaf::Address(address.to_canonical()))
    }

    /// Who asks for this route, for [`Key::route`]: the pattern where that is what the key finds, else the
    /// path.
    pub fn route(method: impl AsRef<str>, path: impl AsRef<str>) -> Self {
        Self::from(Leaf::route(method.as_ref(), path.as_ref()))
    }

    /// For whom the function of [`Key::from_fn`] or [`Key::from_async_fn`] returns these bytes.
    pub fn custom(bytes: impl Into<Vec<u8>>) -> Self {
        Self::from(Leaf::Custom(bytes.into().into()))
    }

    /// Everybody whose key is missing, where a policy limits them together.
    pub fn anonymous() -> Self {
        Self::from(Leaf::Anonymous)
    }

    /// Who is both, for [`Key::and`].
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The key material of what a key found.
    pub(crate) fn push_to(&self, into: &mut PersonalKey) {
        for leaf in &self.0 {
            leaf.push_to(into);
        }
    }
}

impl Key {
    /// The same key material that [`find`](Self::find) makes of a request of theirs: addresses are those of their
    /// group.
    pub(crate) fn name(&self, subject: &Subject, into: &mut PersonalKey) {
        for leaf in &subject.0 {
            match leaf {
                Leaf::Address(address) => {
                    let group = self.group(*address).unwrap_or(*address);
                    Leaf::Address(group).push_to(into);
                }
                leaf => leaf.push_to(into),
            }
        }
    }

    /// The address all of whose group share a quota; nothing if the key has no address.
    fn group(&self, address: IpAddr) -> Option<IpAddr> {
        match &*self.0 {
            Node::ClientIp(client) => Some(client.group(address)),
            Node::And(first, second) | Node::Or(first, second) => {
                first.group(address).or_else(|| second.group(address))
            }
            _ => None,
        }
    }
}

impl From<Leaf<'_>> for Subject {
    fn from(leaf: Leaf<'_>) -> Self {
        Self(vec![leaf.into_owned()])
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject")?;
        f.debug_list()
            .entries(self.0.iter().map(Leaf::kind))
            .finish()
    }
}
