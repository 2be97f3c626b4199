//! What a response says of the session.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
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

/// The answer where a session would be needed and its store fails.
pub(crate) fn unavailable() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(UNAVAILABLE.as_bytes()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    let problem = HeaderValue::from_static("application/problem+json");
    headers.insert(CONTENT_TYPE, problem);
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

const UNAVAILABLE: &str = concat!(
    r#"{"type":"about:blank","title":"Service Unavailable","status":503,"#,
    r#""detail":"The session store does not answer. Nothing was changed."}"#
);
