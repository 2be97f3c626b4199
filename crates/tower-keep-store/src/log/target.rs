//! What can be invalidated.

use std::{
    fmt,
    hash::{BuildHasherDefault, Hasher},
};

use crate::key::{digest, push_part};

/// Something that entries depend on: a tag, one key, a class, everything.
///
/// A target is 64 bits of a SHA-256 digest. Should two targets ever share a digest, invalidating one
/// invalidates the other too: an extra miss, never a stale answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target(u64);

impl Target {
    /// Every entry of the namespace depends on this one.
    pub const EVERYTHING: Self = Self(0);

    /// The target of this kind (`"tag"`, `"class"` …) with this name.
    #[must_use]
    pub fn new(kind: &str, name: &[u8]) -> Self {
        let mut material = Vec::with_capacity(kind.len() + name.len() + 8);
        push_part(&mut material, kind.as_bytes());
        push_part(&mut material, name);
        let [a, b, c, d, e, f, g, h, ..] = digest(&material);
        // Zero is taken by EVERYTHING.
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]).max(1))
    }

    /// The digest, for an envelope.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The target with this digest, out of an envelope.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({:016x})", self.0)
    }
}

/// How an invalidated entry may still be used.
///
/// What an unsafe request invalidates of itself, its own URI, it always invalidates hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Not at all.
    Hard,
    /// As a stale one, where its class or its fields allow that (stale-while-revalidate,
    /// stale-if-error).
    Soft,
}

/// Maps keyed by a target need no second hash: a target is one.
pub(super) type ByTarget = BuildHasherDefault<AlreadyHashed>;

#[derive(Default)]
pub(super) struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, bits: u64) {
        self.0 = bits;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
