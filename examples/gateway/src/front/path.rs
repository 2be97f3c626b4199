//! Paths that every server reads in the same way.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// Whether a path is in its plain form: whole percent-encodings, no control characters, nothing that is
/// not ASCII, and, however often somebody behind may decode it, no segment that means another one
/// (`..%2f`, `%252e%252e`).
///
/// A route says what may be cached by path. `/assets/..%2faccount` is under `/assets` for one server, and
/// the account's page for another: that is how caches are deceived.
pub(super) fn is_plain(path: &str) -> bool {
    let bytes = path.as_bytes();
    if !path.starts_with('/') || !bytes.iter().all(|byte| is_printable(*byte)) {
        return false;
    }
    // Most paths have neither.
    if !bytes.contains(&b'%') && !bytes.contains(&b'\\') {
        return !has_dot_segments(bytes);
    }
    is_encoded_well(bytes) && is_plain_when_decoded(bytes)
}

fn is_plain_when_decoded(bytes: &[u8]) -> bool {
    let mut seen = Cow::Borrowed(bytes);
    for _ in 0..MOST_DECODINGS {
        if has_dot_segments(&seen) || seen.iter().any(u8::is_ascii_control) {
            return false;
        }
        let decoded: Vec<u8> = percent_decode(&seen).collect();
        if decoded[..] == seen[..] {
            return true;
        }
        seen = decoded.into();
    }
    // Encoded again and again: nobody means that.
    false
}

/// `.` and `..` between slashes of either kind; a parameter (`..;x`) does not make them something else.
fn has_dot_segments(path: &[u8]) -> bool {
    let mut segments = path.split(|byte| matches!(byte, b'/' | b'\\'));
    segments.any(|segment| {
        let name = segment.split(|byte| *byte == b';').next();
        matches!(name, Some(b"." | b".."))
    })
}

fn is_encoded_well(path: &[u8]) -> bool {
    let mut parts = path.split(|byte| *byte == b'%');
    // What stands before the first.
    parts.next();
    parts.all(|part| part.len() >= 2 && part[..2].iter().all(u8::is_ascii_hexdigit))
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e)
}

const MOST_DECODINGS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_may_read_in_two_ways_is_not_plain() {
        for plain in [
            "/",
            "//",
            "/a/b.css",
            "/a%20b",
            "/@scope%2fname",
            "/a/...",
            "/.well-known/x",
            "/100%25",
            "/%e4%bd%a0",
            "/a;b=c",
        ] {
            assert!(is_plain(plain), "{plain}");
        }
        for tricky in [
            "a",
            "",
            "*",
            "/a/../b",
            "/a/..",
            "/./a",
            "/a/..%2fb",
            "/a/%2e%2e/b",
            "/a/%252e%252e%252fb",
            "/a\\..\\b",
            "/a%5c..%5cb",
            "/a/..;/b",
            "/a%00.css",
            "/a%0d%0ab",
            "/a%2500",
            "/a%",
            "/a%2",
            "/a%zz",
            "/ü",
            "/%25252525252e",
        ] {
            assert!(!is_plain(tricky), "{tricky}");
        }
    }
}
