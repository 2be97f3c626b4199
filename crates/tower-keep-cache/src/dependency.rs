//! What an invalidation names.

use http::Uri;
use tower_keep_store::{Target, push_part};

use crate::{
    directive::Tag,
    http::key::{KeyRules, without_own_port},
    object::{CacheKey, object_target},
};

/// Something that entries depend on and that can be invalidated: a tag, a group, a class, one value, one
/// URI, everything.
///
/// ```
/// use tower_keep_cache::{Dependency, Tag};
///
/// let gone = [
///     Dependency::from(Tag::of("candidate", 42)),
///     Dependency::class("dashboard-statistics"),
///     Dependency::object("candidate-score", ("score", 42)),
///     Dependency::uri("example.com", http::Uri::from_static("/candidates/42")),
/// ];
/// # let _ = gone;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dependency(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Target(Target),
    /// What stands for it depends on the layer's rules for queries.
    Uri {
        authority: Box<str>,
        uri: Uri,
    },
}

impl Dependency {
    /// Every entry of the store's namespace, those of other layers and processes too.
    #[must_use]
    pub const fn everything() -> Self {
        Self(Kind::Target(Target::EVERYTHING))
    }

    /// All entries of a class.
    #[must_use]
    pub fn class(name: &str) -> Self {
        Self(Kind::Target(class_target(name)))
    }

    /// All responses of this host that came with this group in `Cache-Groups` (RFC 9875). `authority` is
    /// what clients send as `Host`. The scheme does not count: HTTP/1.1 does not tell it.
    #[must_use]
    pub fn group(authority: &str, name: &str) -> Self {
        Self(Kind::Target(group_target(
            authority.as_bytes(),
            name.as_bytes(),
        )))
    }

    /// One value of the [`ObjectCache`](crate::ObjectCache)s of a class.
    #[must_use]
    pub fn object(class: &str, key: impl Into<CacheKey>) -> Self {
        Self(Kind::Target(object_target(class, &key.into())))
    }

    /// What is stored for one URI, with all its variants. `authority` is what clients send as `Host`, used
    /// where the URI has none of its own.
    #[must_use]
    pub fn uri(authority: &str, uri: Uri) -> Self {
        Self(Kind::Uri {
            authority: authority.into(),
            uri,
        })
    }

    /// What stands for it in the log, by the rules of this layer.
    pub(crate) fn target(&self, keys: &KeyRules) -> Target {
        match &self.0 {
            Kind::Target(target) => *target,
            Kind::Uri { authority, uri } => {
                let authority = uri.authority().map_or(&**authority, |own| own.as_str());
                keys.target_of(uri, authority.as_bytes())
            }
        }
    }
}

impl From<Tag> for Dependency {
    fn from(tag: Tag) -> Self {
        Self(Kind::Target(tag.into()))
    }
}

impl From<&Tag> for Dependency {
    fn from(tag: &Tag) -> Self {
        (*tag).into()
    }
}

impl From<&Self> for Dependency {
    fn from(dependency: &Self) -> Self {
        dependency.clone()
    }
}

pub(crate) fn class_target(name: &str) -> Target {
    Target::new("class", name.as_bytes())
}

/// A group is one of a host (RFC 9875 §2.1: "They both share the same URI origin").
pub(crate) fn group_target(authority: &[u8], name: &[u8]) -> Target {
    let host = without_own_port(authority).to_ascii_lowercase();
    let mut material = Vec::with_capacity(host.len() + name.len() + 8);
    push_part(&mut material, &host);
    push_part(&mut material, name);
    Target::new("group", &material)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(dependency: impl Into<Dependency>) -> Target {
        dependency.into().target(&KeyRules::default())
    }

    #[test]
    fn what_is_named_differently_is_not_the_same() {
        let all = [
            target(Tag::new("a")),
            target(Tag::of("a", "a")),
            target(Dependency::class("a")),
            target(Dependency::group("a", "a")),
            target(Dependency::group("aa", "")),
            target(Dependency::object("a", "a")),
            target(Dependency::uri("a", Uri::from_static("/a"))),
            target(Dependency::everything()),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn a_group_is_of_a_host_whatever_its_case_and_its_schemes_own_port() {
        let group = |authority| target(Dependency::group(authority, "g"));
        assert_eq!(group("Example.com"), group("example.com:80"));
        assert_eq!(group("example.com"), group("example.com:443"));
        assert_ne!(group("example.com"), group("example.com:8080"));
        assert_ne!(group("example.com"), group("example.org"));
    }

    #[test]
    fn a_uri_goes_by_its_own_authority() {
        let whole = target(Dependency::uri("other", Uri::from_static("http://host/a")));
        assert_eq!(
            whole,
            target(Dependency::uri("host", Uri::from_static("/a")))
        );
    }
}
