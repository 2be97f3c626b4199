//! What is stored of a response.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        AGE, CONNECTION, CONTENT_LENGTH, DATE, ETAG, SET_COOKIE, TE, TRANSFER_ENCODING, UPGRADE,
    },
    response,
};
use tower_keep_store::Timestamp;

use super::{said::Said, status::CACHE_STATUS};

/// What a key leads to.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are responses, and a box would cost each hit a step"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// A whole response.
    Response(StoredResponse),
    /// The resource has variants; these request fields select one.
    Variants(Variants),
}

/// A response, ready to be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
    /// Its age when it was received.
    pub(crate) initial_age: Duration,
    /// Whether it may answer requests with a `Cookie` or `Authorization` field.
    pub(crate) shared_with: SharedWith,
    pub(crate) said: Said,
}

/// Which identified requests a response may answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SharedWith {
    pub(crate) cookie: bool,
    pub(crate) authorization: bool,
    /// Whether its handler said so of whatever users it was told of: then an answer to one may become it.
    pub(crate) users: bool,
}

/// The fields of `Vary` and the variants that are known, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variants {
    pub(crate) names: Box<[HeaderName]>,
    pub(crate) known: Vec<[u8; 16]>,
}

/// The fields of a response that are kept: not those of the connection it came on, nor what is said
/// anew with every answer (RFC 9111 §3.1, RFC 9110 §7.6.1).
pub(crate) fn kept_headers(head: &response::Parts, received: Timestamp) -> HeaderMap {
    let mut headers = head.headers.clone();
    let named: Vec<_> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in NOT_KEPT.iter().chain(&named) {
        headers.remove(name);
    }
    if promised_length(&headers).is_none() {
        headers.remove(CONTENT_LENGTH);
    }
    // A stored response says when it was made (RFC 9110 §6.6.1).
    headers.entry(DATE).or_insert_with(|| {
        HeaderValue::from_str(&httpdate::fmt_http_date(received.into()))
            .expect("a date is visible ASCII")
    });
    headers
}

/// Adds the tag to a response that has none.
pub(crate) fn add_entity_tag(headers: &mut HeaderMap, tag: &str) {
    headers
        .entry(ETAG)
        .or_insert_with(|| HeaderValue::from_str(tag).expect("our own tags are visible ASCII"));
}

/// The length that the head promises, if it promises one.
pub(crate) fn promised_length(headers: &HeaderMap) -> Option<u64> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next()?.to_str().ok()?.parse().ok()?;
    lengths.next().is_none().then_some(length)
}

static NOT_KEPT: [HeaderName; 12] = [
    CONNECTION,
    TRANSFER_ENCODING,
    TE,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authentication-info"),
    HeaderName::from_static("proxy-authorization"),
    SET_COOKIE,
    AGE,
    CACHE_STATUS,
];

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    #[test]
    fn what_belongs_to_the_connection_is_not_kept() {
        let (head, ()) = Response::builder()
            .header("connection", "close, X-Hop")
            .header("x-hop", "1")
            .header("keep-alive", "1")
            .header("transfer-encoding", "chunked")
            .header("proxy-authenticate", "x")
            .header("age", "7")
            .header("content-length", "5, 5")
            .header("trailer", "x-sum")
            .header("x-kept", "a")
            .header("x-kept", "b")
            .body(())
            .expect("a response")
            .into_parts();
        let kept = kept_headers(&head, Timestamp::from_secs(784_111_777));
        let mut names: Vec<_> = kept.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["date", "trailer", "x-kept"]);
        assert_eq!(kept.get_all("x-kept").iter().count(), 2);
        assert_eq!(kept["date"], "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
