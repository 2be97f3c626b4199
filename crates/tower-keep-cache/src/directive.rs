//! What a handler says about its response.

use std::{fmt, sync::Arc};

use tower_keep_store::{Target, push_part};

/// Something that responses and values can depend on, and that can be invalidated in one stroke: a
/// candidate, a merchant's catalog, the list of jobs.
///
/// A tag is also what other systems call a version of a key: invalidating it retires all entries that
/// carry it, without a counter that could be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag(Target);

impl Tag {
    /// The tag with this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Target::new("tag", name.as_bytes()))
    }

    /// The tag of one thing of a kind: `Tag::of("candidate", 42)`. No choice of `kind` and `id` gives
    /// the tag of another pair, nor one of [`new`](Self::new).
    #[must_use]
    pub fn of(kind: &str, id: impl fmt::Display) -> Self {
        let mut name = Vec::new();
        push_part(&mut name, kind.as_bytes());
        push_part(&mut name, id.to_string().as_bytes());
        Self(Target::new("tag-of", &name))
    }
}

impl From<Tag> for Target {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

/// A response extension by which a handler chooses class and tags of its response.
///
/// The class it names decides the lifetime here, whatever `max-age` tells other caches; `no-store` and
/// `private` still win.
///
/// ```
/// use tower_keep_cache::{CacheDirective, Tag};
///
/// let mut response = http::Response::new("…");
/// response.extensions_mut().insert(
///     CacheDirective::class("dashboard-statistics")
///         .tag(Tag::of("recruiter", 7))
///         .tag(Tag::new("jobs")),
/// );
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CacheDirective {
    pub(crate) class: Option<Arc<str>>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) no_store: bool,
}

impl CacheDirective {
    /// Only tags; the lifetime comes from the response's fields or the layer's class.
    pub fn new() -> Self {
        Self::default()
    }

    /// Store as this class. A class that is not registered is reported in the log, and the response
    /// is not stored.
    pub fn class(name: impl Into<Arc<str>>) -> Self {
        Self {
            class: Some(name.into()),
            ..Self::default()
        }
    }

    /// Do not store.
    pub fn no_store() -> Self {
        Self {
            no_store: true,
            ..Self::default()
        }
    }

    /// The response depends on this. At most 64 tags; a response with more is not stored, because it
    /// could not be invalidated reliably.
    pub fn tag(mut self, tag: Tag) -> Self {
        self.tags.push(tag);
        self
    }

    /// The response depends on all of these.
    pub fn tags(mut self, tags: impl IntoIterator<Item = Tag>) -> Self {
        self.tags.extend(tags);
        self
    }
}

/// Tags that one entry may carry.
pub(crate) const MOST_TAGS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_what_they_are_made_of() {
        assert_eq!(Tag::of("candidate", 42), Tag::of("candidate", "42"));
        assert_ne!(Tag::of("candidate", 42), Tag::of("candidate4", 2));
        assert_ne!(Tag::of("a", ""), Tag::new("a"));
    }
}
