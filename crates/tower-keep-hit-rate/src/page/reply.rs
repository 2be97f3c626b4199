//! The responses. None may be kept, framed, or read by other sites.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
        REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
    },
};

use super::{
    body::PageBody,
    document::{PAGE, POLICY},
    events::Events,
    frames::Seat,
};

pub(super) fn document() -> Response<PageBody> {
    let mut response = whole(StatusCode::OK, "text/html; charset=utf-8", PAGE.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    response
}

pub(super) fn json(json: Vec<u8>) -> Response<PageBody> {
    whole(StatusCode::OK, "application/json", json.into())
}

pub(super) fn metrics(text: String) -> Response<PageBody> {
    whole(StatusCode::OK, METRICS, text.into())
}

/// Without a seat nobody watches: the head only.
pub(super) fn events(seat: Option<Seat>) -> Response<PageBody> {
    let body = match seat {
        Some(seat) => PageBody::events(Events::new(seat)),
        None => PageBody::whole(Bytes::new()),
    };
    let mut response = Response::new(body);
    mark(response.headers_mut(), "text/event-stream");
    // Asks proxies that would collect a response not to.
    response
        .headers_mut()
        .insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

pub(super) fn full() -> Response<PageBody> {
    let mut response = words(StatusCode::SERVICE_UNAVAILABLE, "too many watch\n");
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
    response
}

pub(super) fn forbidden() -> Response<PageBody> {
    words(StatusCode::FORBIDDEN, "not for you\n")
}

pub(super) fn not_found() -> Response<PageBody> {
    words(
        StatusCode::NOT_FOUND,
        "nothing here: there are /, /events, /snapshot and /metrics, after Page::prefix\n",
    )
}

pub(super) fn other_method() -> Response<PageBody> {
    let mut response = words(StatusCode::METHOD_NOT_ALLOWED, "to look at only\n");
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// The same head without what HEAD does not ask for.
pub(super) fn for_method(response: Response<PageBody>, method: &Method) -> Response<PageBody> {
    if method == Method::HEAD {
        return response.map(|_| PageBody::whole(Bytes::new()));
    }
    response
}

fn words(status: StatusCode, words: &'static str) -> Response<PageBody> {
    whole(status, "text/plain; charset=utf-8", words.into())
}

fn whole(status: StatusCode, content_type: &'static str, bytes: Bytes) -> Response<PageBody> {
    let length = bytes.len();
    let mut response = Response::new(PageBody::whole(bytes));
    *response.status_mut() = status;
    mark(response.headers_mut(), content_type);
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

fn mark(headers: &mut HeaderMap, content_type: &'static str) {
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
