//! The requests, with the fields that most clients send.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, HOST, IF_NONE_MATCH, USER_AGENT},
};
use http_body_util::Empty;

/// A request without a body.
pub type Request = http::Request<Empty<Bytes>>;

/// `GET` of a path.
///
/// # Panics
///
/// If that is not a path.
#[must_use]
pub fn get(path: &str) -> Request {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = Uri::try_from(path).expect("a path");
    let headers = request.headers_mut();
    for (name, value) in FIELDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    request
}

/// `HEAD` of a path.
#[must_use]
pub fn head(path: &str) -> Request {
    with_method(Method::HEAD, path)
}

/// `GET` of a path by a client that has the [bare response](crate::bare_response) already.
#[must_use]
pub fn revalidating(path: &str) -> Request {
    let mut request = get(path);
    let tag = HeaderValue::from_static("\"33a64df551425fcc\"");
    request.headers_mut().insert(IF_NONE_MATCH, tag);
    request
}

/// A request that no cache answers, by its method.
#[must_use]
pub fn options(path: &str) -> Request {
    with_method(Method::OPTIONS, path)
}

/// A request that changes something.
#[must_use]
pub fn post(path: &str) -> Request {
    with_method(Method::POST, path)
}

fn with_method(method: Method, path: &str) -> Request {
    let mut request = get(path);
    *request.method_mut() = method;
    request
}

const FIELDS: [(HeaderName, &str); 4] = [
    (HOST, "api.example.com"),
    (USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)"),
    (ACCEPT, "application/json"),
    (ACCEPT_ENCODING, "gzip, br"),
];
