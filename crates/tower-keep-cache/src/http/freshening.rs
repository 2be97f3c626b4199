//! What a 304 changes in the response that it confirms (RFC 9111 §3.2, §4.3.4).

use http::{
    HeaderMap, HeaderName,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG},
};

/// The stored fields with those of the 304 in their place: "the cache MUST add each header field in the
/// provided response to the stored response, replacing field values that are already present".
///
/// Not `Content-Digest`, `Content-Encoding`, `Content-Length`, `Content-MD5`, `Content-Range` and `ETag`: they
/// describe the stored bytes, which stay. And a 304 without `Date` is not as old as what it confirms.
pub(crate) fn freshened(stored: &HeaderMap, update: &HeaderMap) -> HeaderMap {
    let mut fields = stored.clone();
    fields.remove(DATE);
    let changed = || update.keys().filter(|name| !OF_THE_BYTES.contains(name));
    for name in changed() {
        fields.remove(name);
    }
    for name in changed() {
        for value in update.get_all(name) {
            fields.append(name, value.clone());
        }
    }
    fields
}

static OF_THE_BYTES: [HeaderName; 6] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    ETAG,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("content-digest"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, value.parse().expect("a field value"));
        }
        fields
    }

    #[test]
    fn fields_of_the_304_replace_and_add_and_those_of_the_bytes_stay() {
        let stored = fields(&[
            ("a", "1"),
            ("a", "2"),
            ("kept", "1"),
            ("date", "then"),
            ("etag", "\"1\""),
            ("content-length", "5"),
            ("content-type", "text/plain"),
        ]);
        let update = fields(&[
            ("a", "3"),
            ("new", "1"),
            ("new", "2"),
            ("etag", "\"2\""),
            ("content-length", "0"),
            ("content-encoding", "gzip"),
            ("content-md5", "x"),
            ("content-type", "text/html"),
        ]);
        let expected = fields(&[
            ("a", "3"),
            ("kept", "1"),
            ("new", "1"),
            ("new", "2"),
            ("etag", "\"1\""),
            ("content-length", "5"),
            ("content-type", "text/html"),
        ]);
        assert_eq!(freshened(&stored, &update), expected);
        assert_eq!(
            freshened(&stored, &fields(&[("date", "now")]))["date"],
            "now"
        );
    }
}
