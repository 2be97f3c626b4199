//! HMAC-SHA256 over the raw body, as `sha256=<hex>`.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Whether `header` signs `body` with `secret`. Compared in constant time.
pub(super) fn is_valid(secret: &[u8], body: &[u8], header: &str) -> bool {
    let Some(claimed) = header.strip_prefix(PREFIX).and_then(decode) else {
        return false;
    };
    mac(secret, body).is_some_and(|mac| mac.verify_slice(&claimed).is_ok())
}

/// What the sender puts into the header.
pub(super) fn sign(secret: &[u8], body: &[u8]) -> String {
    let digest = mac(secret, body).map(|mac| mac.finalize().into_bytes());
    let hex: String = digest
        .iter()
        .flatten()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{PREFIX}{hex}")
}

fn mac(secret: &[u8], body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(body);
    Some(mac)
}

fn decode(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

const PREFIX: &str = "sha256=";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_signature_is_accepted() {
        // RFC 4231, test case 2.
        let header = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign(b"Jefe", b"what do ya want for nothing?"), header);
        assert!(is_valid(b"Jefe", b"what do ya want for nothing?", header));
    }

    #[test]
    fn anything_else_is_refused() {
        let good = sign(b"key", b"body");
        for header in [
            "",
            "sha256=",
            "sha256=0",
            "sha256=zz",
            "sha1=00",
            &good[7..],
            &good[..good.len() - 2],
            &sign(b"other", b"body"),
            &sign(b"key", b"bodY"),
            "sha256=é",
        ] {
            assert!(!is_valid(b"key", b"body", header), "{header}");
        }
    }
}
