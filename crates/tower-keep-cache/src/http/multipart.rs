//! Several ranges in one answer: `multipart/byteranges` (RFC 9110 §14.6).

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    ops::Range,
};

use bytes::Bytes;
use http::HeaderValue;

/// Content type and content of a 206 with these parts of the body.
pub(crate) fn multipart(
    body: &Bytes,
    ranges: &[Range<usize>],
    kind: Option<&HeaderValue>,
) -> (HeaderValue, Bytes) {
    let boundary = boundary();
    let data: usize = ranges.iter().map(ExactSizeIterator::len).sum();
    let kind_length = kind.map_or(0, HeaderValue::len);
    let mut out = Vec::with_capacity(data + (ranges.len() + 1) * (kind_length + 160));
    for range in ranges {
        out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        // "The server SHOULD generate that same Content-Type header field in the header area of each body part"
        // (RFC 9110 §15.3.7.2).
        if let Some(kind) = kind {
            out.extend_from_slice(b"content-type: ");
            out.extend_from_slice(kind.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        let Range { start, end } = range;
        let place = format!("content-range: bytes {start}-{}/{}", end - 1, body.len());
        out.extend_from_slice(place.as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&body[range.clone()]);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let kind = HeaderValue::from_str(&format!("multipart/byteranges; boundary={boundary}"));
    let kind = kind.expect("a boundary is visible ASCII");
    (kind, out.into())
}

/// One that nobody who writes a body can know before.
fn boundary() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("keep-{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_says_what_it_is_and_where_it_lies() {
        let body = Bytes::from_static(b"0123456789");
        let text = HeaderValue::from_static("text/plain");
        let (kind, content) = multipart(&body, &[0..2, 8..10], Some(&text));
        let kind = kind.to_str().expect("visible ASCII");
        let boundary = kind
            .strip_prefix("multipart/byteranges; boundary=")
            .expect("one");
        let expected = "--B\r\ncontent-type: text/plain\r\ncontent-range: bytes 0-1/10\r\n\r\n01\r\n\
                        --B\r\ncontent-type: text/plain\r\ncontent-range: bytes 8-9/10\r\n\r\n89\r\n\
                        --B--\r\n";
        assert_eq!(content, expected.replace('B', boundary));
        assert_ne!(multipart(&body, &[0..1, 2..3], None).0, kind);
    }
}
