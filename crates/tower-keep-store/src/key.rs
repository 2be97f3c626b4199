//! Keys of a fixed size that cannot be injected into.

use std::fmt;

use sha2::{Digest, Sha256};

/// The name of one record in a store: a short kind and the first 128 bits of a SHA-256 digest.
///
/// The size does not depend on what a client sent, and no byte of it is chosen by a client. A digest
/// is a name, not a proof: a record that matters repeats what it was made from, and the reader
/// compares.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    kind: &'static str,
    digest: [u8; 16],
}

impl Key {
    /// Names the record of this `kind` that belongs to `material`. Build the material with
    /// [`push_part`], so that no two lists of parts give the same bytes.
    #[must_use]
    pub fn new(kind: &'static str, material: &[u8]) -> Self {
        Self {
            kind,
            digest: digest(material),
        }
    }

    /// The key as Redis sees it: `namespace:kind:{digest}`. The braces are a Cluster hash tag, so
    /// that records of several kinds for one digest share a slot.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<u8> {
        let mut name = Vec::with_capacity(namespace.len() + self.kind.len() + 36);
        name.extend_from_slice(namespace.as_bytes());
        name.push(b':');
        name.extend_from_slice(self.kind.as_bytes());
        name.extend_from_slice(b":{");
        for byte in self.digest {
            name.push(HEX[usize::from(byte >> 4)]);
            name.push(HEX[usize::from(byte & 15)]);
        }
        name.push(b'}');
        name
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.in_namespace("Key")))
    }
}

/// Appends one part to key material, with its length in front, so that `["a", "bc"]` and
/// `["ab", "c"]` differ.
pub fn push_part(material: &mut Vec<u8>, part: &[u8]) {
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    material.extend_from_slice(&length.to_be_bytes());
    material.extend_from_slice(part);
}

/// The first 128 bits of SHA-256.
pub(crate) fn digest(material: &[u8]) -> [u8; 16] {
    let full = Sha256::digest(material);
    let mut half = [0; 16];
    half.copy_from_slice(&full[..16]);
    half
}

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_one_size_whatever_went_in() {
        let short = Key::new("c", b"").in_namespace("keep");
        let long = Key::new("c", &[b'}'; 9000]).in_namespace("keep");
        assert_eq!(short.len(), long.len());
        assert!(long.starts_with(b"keep:c:{"));
        assert_eq!(long.iter().filter(|byte| **byte == b'}').count(), 1);
    }

    #[test]
    fn where_one_part_ends_is_part_of_the_key() {
        let material = |parts: &[&str]| {
            let mut bytes = Vec::new();
            for part in parts {
                push_part(&mut bytes, part.as_bytes());
            }
            bytes
        };
        assert_ne!(material(&["a", "bc"]), material(&["ab", "c"]));
        assert_ne!(material(&["a", ""]), material(&["a"]));
    }
}
