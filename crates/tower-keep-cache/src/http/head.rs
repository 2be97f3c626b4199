//! Whether an answer to HEAD is about what is stored (RFC 9111 §4.3.5).

use http::{
    HeaderMap,
    header::{CONTENT_LENGTH, ETAG, LAST_MODIFIED},
};

use super::entry::{StoredResponse, promised_length};

/// What the fields of an answer to HEAD say of a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// It is another one.
    None,
    /// Nothing speaks against its being the same, and nothing for it.
    Bare,
    /// It is the same, by a validator.
    Validated,
}

/// "If the stored response and HEAD response have matching values for any received validator fields (ETag and
/// Last-Modified) and, if the HEAD response has a Content-Length header field, the value of Content-Length matches
/// that of the stored response, the cache SHOULD update the stored response … ; otherwise, the cache SHOULD
/// consider the stored response to be stale."
pub(crate) fn agreement(stored: &StoredResponse, head: &HeaderMap) -> Agreement {
    let has_length = head.contains_key(CONTENT_LENGTH);
    if has_length && promised_length(head) != Some(stored.body.len() as u64) {
        return Agreement::None;
    }
    let received = [ETAG, LAST_MODIFIED].map(|name| {
        let value = head.get(&name)?;
        Some(stored.headers.get(&name) == Some(value))
    });
    match received {
        [None, None] => Agreement::Bare,
        all if all.contains(&Some(false)) => Agreement::None,
        _ => Agreement::Validated,
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, value.parse().expect("a field value"));
        }
        fields
    }

    #[test]
    fn every_validator_and_the_length_have_to_match() {
        let stored = StoredResponse {
            status: StatusCode::OK,
            headers: fields(&[("etag", "\"1\""), ("last-modified", "then")]),
            body: bytes::Bytes::from_static(b"12345"),
            trailers: None,
            initial_age: Default::default(),
            shared_with: Default::default(),
            said: Default::default(),
        };
        for (head, expected) in [
            (&[][..], Agreement::Bare),
            (&[("content-length", "5")], Agreement::Bare),
            (&[("content-length", "6")], Agreement::None),
            (&[("content-length", "5, 5")], Agreement::None),
            (&[("etag", "\"1\"")], Agreement::Validated),
            (
                &[("etag", "\"1\""), ("last-modified", "now")],
                Agreement::None,
            ),
            (
                &[("etag", "\"1\""), ("content-length", "6")],
                Agreement::None,
            ),
            (
                &[("last-modified", "then"), ("content-length", "5")],
                Agreement::Validated,
            ),
            (&[("etag", "\"2\"")], Agreement::None),
        ] {
            assert_eq!(agreement(&stored, &fields(head)), expected, "{head:?}");
        }
    }
}
