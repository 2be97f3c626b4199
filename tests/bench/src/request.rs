//! The requests, with the fields that most clients send.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, COOKIE, HOST, IF_NONE_MATCH, USER_AGENT},
};
use http_body_util::Empty;
use tower_keep_store::PeerAddr;

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

/// `GET` by this merchant.
///
/// # Panics
///
/// If the name cannot stand in a header.
#[must_use]
pub fn from_merchant(merchant: &str) -> Request {
    let mut request = get("/items/7");
    let merchant = HeaderValue::from_str(merchant).expect("a name of letters and digits");
    request.headers_mut().insert(MERCHANT, merchant);
    request
}

/// `GET` from the other end of this connection.
#[must_use]
pub fn from_address(peer: SocketAddr) -> Request {
    let mut request = get("/items/7");
    request.extensions_mut().insert(PeerAddr(peer));
    request
}

/// `GET` by the client that has this cookie.
///
/// # Panics
///
/// If that cannot stand in a header.
#[must_use]
pub fn with_cookie(cookie: &str) -> Request {
    let mut request = get("/items/7");
    let cookie = HeaderValue::from_str(cookie).expect("a cookie");
    request.headers_mut().insert(COOKIE, cookie);
    request
}

fn with_method(method: Method, path: &str) -> Request {
    let mut request = get(path);
    *request.method_mut() = method;
    request
}

/// Whose the requests to limited services are.
pub const MERCHANT: &str = "x-merchant-id";

const FIELDS: [(HeaderName, &str); 4] = [
    (HOST, "api.example.com"),
    (USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)"),
    (ACCEPT, "application/json"),
    (ACCEPT_ENCODING, "gzip, br"),
];
