//! What values are stored under.

use std::fmt;

use tower_keep_store::push_part;

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
