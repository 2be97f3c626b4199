//! Keys of a fixed size that cannot be injected into.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// The name of one record in a store: a short kind and the first 128 bits of a SHA-256 digest.
///
/// The size does not depend on what a client sent, and no byte of it is chosen by a client. A digest
/// is a name, not a proof: a record that matters repeats what it was made from, and the reader
/// compares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key {
    kind: &'static str,
    digest: [u8; 16],
    part: Part,
}

/// What tells records of one digest apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    None,
    Number(u32),
    Digest([u8; 16]),
}

impl Key {
    /// Names the record of this `kind` that belongs to `material`. Build the material with
    /// [`push_part`], so that no two lists of parts give the same bytes.
    #[must_use]
    pub fn new(kind: &'static str, material: &[u8]) -> Self {
        Self {
            kind,
            digest: digest(material),
            part: Part::None,
        }
    }

    /// Another record that belongs to the same material; on a Cluster, in the same slot.
    #[must_use]
    pub fn part(mut self, part: u32) -> Self {
        self.part = Part::Number(part);
        self
    }

    /// This key's digest as a part of the owner's: another record that belongs to the owner; on a Cluster, in
    /// the same slot.
    #[must_use]
    pub fn beside(self, owner: &Self) -> Self {
        Self {
            kind: self.kind,
            digest: owner.digest,
            part: Part::Digest(self.digest),
        }
    }

    /// The key of this `kind` and [digest](Self::digest).
    #[must_use]
    pub fn from_digest(kind: &'static str, digest: [u8; 16]) -> Self {
        Self {
            kind,
            digest,
            part: Part::None,
        }
    }

    /// What it was made from, digested.
    #[must_use]
    pub fn digest(&self) -> [u8; 16] {
        self.digest
    }

    /// Appends what tells this key from all others of its kind.
    pub fn push_to(&self, material: &mut Vec<u8>) {
        material.extend_from_slice(&self.digest);
        match self.part {
            Part::None => {}
            Part::Number(part) => material.extend_from_slice(&part.to_be_bytes()),
            Part::Digest(digest) => material.extend_from_slice(&digest),
        }
    }

    /// The key as Redis sees it: `namespace:kind:{digest}` (base64), with `:part` where there is one. The braces
    /// are a Cluster hash tag, so that records of several kinds for one digest share a slot.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<u8> {
        let mut name = Vec::with_capacity(namespace.len() + self.kind.len() + 69);
        name.extend_from_slice(namespace.as_bytes());
        name.push(b':');
        name.extend_from_slice(self.kind.as_bytes());
        name.extend_from_slice(b":{");
        // Shorter than in hexadecimal: it is most of what a small record takes.
        let start = name.len();
        name.resize(start + 22, 0);
        let encoded = URL_SAFE_NO_PAD.encode_slice(self.digest, &mut name[start..]);
        encoded.expect("16 bytes are 22 characters");
        name.push(b'}');
        match self.part {
            Part::None => {}
            Part::Number(part) => {
                name.push(b':');
                push_hex(&mut name, &part.to_be_bytes());
            }
            Part::Digest(digest) => {
                name.push(b':');
                push_hex(&mut name, &digest);
            }
        }
        name
    }
}

/// Makes [`Key`]s of what says who somebody is: addresses, names, tokens.
///
/// The digest begins with the store's [secret](crate::StoreBuilder::secret), so that whoever reads the
/// store cannot find out by trying whose record it is. Nothing is allocated.
#[derive(Clone)]
pub struct PersonalKey {
    kind: &'static str,
    digest: Sha256,
}

impl PersonalKey {
    pub(crate) fn new(kind: &'static str, secret: &Sha256) -> Self {
        Self {
            kind,
            digest: secret.clone(),
        }
    }

    /// Adds a part, with its length, so that `["a", "bc"]` and `["ab", "c"]` differ.
    pub fn push(&mut self, part: &[u8]) {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        self.digest.update(length.to_be_bytes());
        self.digest.update(part);
    }

    /// The key of all parts.
    #[must_use]
    pub fn finish(self) -> Key {
        Key {
            kind: self.kind,
            digest: half(self.digest),
            part: Part::None,
        }
    }
}

impl fmt::Debug for PersonalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonalKey")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A digest that has taken in a secret, to a whole block, and nothing else.
///
/// A secret in front makes no proper authentication code of SHA-256, whose full output can be carried on.
/// Here half of the output is thrown away, and it proves nothing to anybody: it is a name.
pub(crate) fn keyed(secret: &[u8]) -> Sha256 {
    let mut block = [0; 64];
    block[..32].copy_from_slice(&Sha256::digest(secret));
    Sha256::new_with_prefix(block)
}

/// A digest is as good as a hash already: a part of it tells keys apart.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(first_half(&self.digest));
        match &self.part {
            Part::None => {}
            Part::Number(part) => state.write_u32(*part),
            Part::Digest(digest) => state.write_u64(first_half(digest)),
        }
    }
}

fn first_half(digest: &[u8; 16]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *digest;
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
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
    half(Sha256::new_with_prefix(material))
}

fn half(digest: Sha256) -> [u8; 16] {
    let full = digest.finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&full[..16]);
    half
}

fn push_hex(name: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        name.push(HEX[usize::from(byte >> 4)]);
        name.push(HEX[usize::from(byte & 15)]);
    }
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
    fn parts_of_a_key_share_its_hash_tag() {
        let key = Key::new("c", b"x");
        let name = String::from_utf8(key.part(0xab).in_namespace("keep")).expect("hex");
        let whole = String::from_utf8(key.in_namespace("keep")).expect("hex");
        assert_eq!(name, format!("{whole}:000000ab"));
        let other = Key::new("c", b"y");
        let beside = String::from_utf8(other.beside(&key).in_namespace("keep")).expect("hex");
        assert!(beside.starts_with(&format!("{whole}:")));
        assert_eq!(beside.len(), whole.len() + 33);
    }

    #[test]
    fn a_personal_key_depends_on_the_secret_and_on_where_parts_end() {
        let key = |secret: &[u8], parts: &[&str]| {
            let mut key = PersonalKey::new("c", &keyed(secret));
            for part in parts {
                key.push(part.as_bytes());
            }
            key.finish()
        };
        assert_eq!(key(b"s", &["a", "bc"]), key(b"s", &["a", "bc"]));
        assert_ne!(key(b"s", &["a", "bc"]), key(b"s", &["ab", "c"]));
        assert_ne!(key(b"s", &["a"]), key(b"t", &["a"]));
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
