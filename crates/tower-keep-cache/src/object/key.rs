//! What values are stored under.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};
use tower_keep_store::{Target, push_part};

use super::ObjectCache;
use crate::directive::Tag;

/// What a value is stored under: a name and any number of parts. No choice of parts gives the key of
/// another choice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct CacheKey(pub(super) Vec<u8>);

impl CacheKey {
    /// The key of this name.
    pub fn new(name: &str) -> Self {
        Self(Vec::new()).part(name)
    }

    /// The same with one more part.
    pub fn part(mut self, part: impl fmt::Display) -> Self {
        push_part(&mut self.0, part.to_string().as_bytes());
        self
    }
}

impl From<&str> for CacheKey {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for CacheKey {
    fn from(name: String) -> Self {
        Self::new(&name)
    }
}

impl<A: fmt::Display, B: fmt::Display> From<(&str, A, B)> for CacheKey {
    fn from((name, one, two): (&str, A, B)) -> Self {
        Self::new(name).part(one).part(two)
    }
}

impl<D: fmt::Display> From<(&str, D)> for CacheKey {
    fn from((name, part): (&str, D)) -> Self {
        Self::new(name).part(part)
    }
}

impl<T> ObjectCache<T>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Values of one class and key may be of another type elsewhere: then they do not decode, and are
    /// misses.
    pub(super) fn key(&self, key: &CacheKey) -> Vec<u8> {
        full_key(&self.class.name, key)
    }
}

pub(super) fn targets(key: &[u8], tags: &[Tag]) -> Vec<Target> {
    let tags = tags.iter().map(|tag| Target::from(*tag));
    std::iter::once(key_target(key)).chain(tags).collect()
}

fn full_key(class: &str, key: &CacheKey) -> Vec<u8> {
    let mut full = vec![FORMAT];
    push_part(&mut full, class.as_bytes());
    full.extend_from_slice(&key.0);
    full
}

/// What stands for one value of a class.
pub(crate) fn object_target(class: &str, key: &CacheKey) -> Target {
    key_target(&full_key(class, key))
}

pub(super) fn key_target(key: &[u8]) -> Target {
    Target::new("object", key)
}

/// First byte of every key; another one when their making changes.
const FORMAT: u8 = 1;
