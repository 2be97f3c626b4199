//! What keeps a response from being stored, whatever its lifetime (RFC 9111 §3).

use std::sync::Arc;

use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, SET_COOKIE},
};

use super::{
    codes::is_understood,
    control::Control,
    entry::{SharedWith, promised_length},
    refusal::Refusal,
    request::Identified,
};
use crate::class::{Class, DEFAULT_LARGEST_BODY, NamedClass};

pub(super) fn is_allowed_error(status: StatusCode, class: Option<&Class>) -> bool {
    matches!(status.as_u16(), 404 | 410) && class.is_some_and(|class| class.errors)
}

pub(super) fn refused_status(status: StatusCode) -> Refusal {
    if status.as_u16() >= 400 {
        Refusal::Error
    } else {
        Refusal::Status
    }
}

pub(super) fn check_control(control: &Control, status: StatusCode) -> Result<(), Refusal> {
    // "The must-understand response directive limits caching of the response to a cache that understands
    // and conforms to the requirements for that response's status code"; such a one ignores the `no-store`
    // beside it (RFC 9111 §5.2.2.3).
    if control.must_understand && !is_understood(status) {
        return Err(Refusal::Status);
    }
    if control.no_store && !control.must_understand {
        return Err(Refusal::NoStore);
    }
    if control.private {
        return Err(Refusal::Private);
    }
    Ok(())
}

pub(super) fn check_content(
    headers: &HeaderMap,
    class: Option<&Class>,
    strip_set_cookie: bool,
) -> Result<(), Refusal> {
    if headers.contains_key(SET_COOKIE) && !strip_set_cookie {
        return Err(Refusal::SetCookie);
    }
    let is_stream = |kind: &http::HeaderValue| {
        let kind = kind.as_bytes();
        kind.len() >= EVENT_STREAM.len()
            && kind[..EVENT_STREAM.len()].eq_ignore_ascii_case(EVENT_STREAM)
    };
    if headers.get(CONTENT_TYPE).is_some_and(is_stream) {
        return Err(Refusal::Stream);
    }
    let largest = class.map_or(DEFAULT_LARGEST_BODY, |class| class.largest_body);
    if promised_length(headers).is_some_and(|length| length > largest as u64) {
        return Err(Refusal::TooLarge);
    }
    Ok(())
}

/// RFC 9111 §3.5 for `Authorization`; for `Cookie`, which HTTP caches are blind to, we ask for as
/// clear a word. Whose handler was told who asks has to say itself that this answer does not depend on that:
/// `public` is often said for whole sites, and so are their classes.
pub(super) fn shared_with(
    control: &Control,
    class: Option<&Class>,
    named: Option<&Arc<NamedClass>>,
) -> SharedWith {
    let declared = control.public || control.s_maxage.is_some();
    SharedWith {
        cookie: declared || class.is_some_and(|class| class.cookies),
        authorization: declared || control.shares_authorized,
        users: named.is_some_and(|named| named.class.cookies),
    }
}

pub(super) fn check_identity(identified: Identified, shared: SharedWith) -> Result<(), Refusal> {
    if identified.authorization && !shared.authorization {
        return Err(Refusal::Authorization);
    }
    if identified.cookie && !shared.cookie {
        return Err(Refusal::Cookie);
    }
    Ok(())
}

const EVENT_STREAM: &[u8] = b"text/event-stream";
