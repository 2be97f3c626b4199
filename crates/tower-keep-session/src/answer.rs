//! What a response says of the session.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, SET_COOKIE, VARY},
};

use crate::{
    core::Issue,
    transport::{self, Transport},
};

/// Tells a client its new ticket, or that it has none any more, the way it came.
pub(crate) fn issue(issue: Issue, by: &Transport, now: u64, headers: &mut HeaderMap) {
    match (issue, by) {
        (Issue::Nothing, _) => return,
        (Issue::Ticket(ticket, ends), Transport::Cookie(cookie)) => {
            let lasts = Duration::from_millis(ends.saturating_sub(now));
            headers.append(SET_COOKIE, cookie.set(&ticket, lasts));
        }
        (Issue::Ticket(ticket, _), by) => {
            headers.insert(by.answers_in(), transport::value(&ticket));
        }
        (Issue::Removal, Transport::Cookie(cookie)) => {
            headers.append(SET_COOKIE, cookie.removal());
        }
        (Issue::Removal, by) => {
            headers.insert(by.answers_in(), HeaderValue::from_static(""));
        }
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A field for some caches (RFC 9213) would go before that.
    let targeted: Vec<_> = headers
        .keys()
        .filter(|name| is_targeted(name))
        .cloned()
        .collect();
    for name in targeted {
        headers.remove(name);
    }
}

/// Whether some caches obey this field in the place of `Cache-Control`.
fn is_targeted(name: &HeaderName) -> bool {
    name.as_str().ends_with("-cache-control") || name.as_str() == "surrogate-control"
}

/// Says that the response depends on what carries the ticket.
pub(crate) fn vary(transports: &[Transport], headers: &mut HeaderMap) {
    for transport in transports {
        let name = transport.varies_by();
        let is_said = headers.get_all(VARY).iter().any(|line| {
            let line = line.to_str().unwrap_or_default();
            let mut names = line.split(',').map(str::trim);
            names.any(|other| other == "*" || other.eq_ignore_ascii_case(name.as_str()))
        });
        if !is_said {
            headers.append(VARY, name.into());
        }
    }
}

/// How a call is wrapped, if it is one of gRPC: the answer has to be the same way.
/// Other methods than POST are not gRPC's, whatever they say.
pub(crate) fn grpc(method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    if method != Method::POST {
        return None;
    }
    let media_type = headers.get(CONTENT_TYPE)?.as_bytes();
    // Before the message's format (`+proto`) and parameters.
    let family = media_type.split(|byte| b"+; \t".contains(byte)).next()?;
    let is = |kind: &&str| family.eq_ignore_ascii_case(kind.as_bytes());
    GRPC.into_iter().find(is)
}

/// Whether a call of gRPC failed in a way that is a 5xx elsewhere. Only trailers alone say so in time.
pub(crate) fn has_failed(headers: &HeaderMap) -> bool {
    let code = headers.get("grpc-status").map(HeaderValue::as_bytes);
    // Unknown, deadline exceeded, unimplemented, internal, unavailable, data lost.
    matches!(code, Some(b"2" | b"4" | b"12" | b"13" | b"14" | b"15"))
}

/// An answer in the place of the handler's: a problem in JSON (RFC 9457), or, for gRPC, trailers alone.
pub(crate) fn problem(status: StatusCode, grpc: Option<&'static str>) -> Response<Bytes> {
    let title = status.canonical_reason().unwrap_or_default();
    let mut response = Response::new(Bytes::new());
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(kind) = grpc {
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert("grpc-status", HeaderValue::from(grpc_code(status)));
        headers.insert("grpc-message", HeaderValue::from_static(title));
        return response;
    }
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static("application/problem+json");
    headers.insert(CONTENT_TYPE, media_type);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    let status = status.as_u16();
    let text = format!(r#"{{"type":"about:blank","title":"{title}","status":{status}}}"#);
    response.map(|_| text.into())
}

/// The code as gRPC numbers them.
pub(crate) fn grpc_code(status: StatusCode) -> i32 {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => 14,
        StatusCode::PAYLOAD_TOO_LARGE => 8,
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::CONFLICT => 10,
        _ => 13,
    }
}

const GRPC: [&str; 3] = [
    "application/grpc",
    "application/grpc-web",
    "application/grpc-web-text",
];
