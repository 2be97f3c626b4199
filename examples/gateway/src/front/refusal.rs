//! Requests that go no further.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::ALLOW};
use http_body_util::Full;

use crate::answer::problem;

/// Why a request is answered here, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Neither a path, nor a whole URI of ours.
    Target,
    /// No host, several, or none that could be one.
    Host,
    /// A host that is not served here.
    Misdirected,
    /// A path that two servers could read in two ways.
    Path,
    /// `CONNECT` and `TRACE`.
    Method,
    /// It came back: the origin is this gateway itself, in the end. Found before the cache is asked, where it
    /// would wait for its own answer.
    Loop,
    /// A body over the bound.
    TooLarge,
    /// No refusal: the server as a whole was asked what it can (RFC 9110 §9.3.7), or the last proxy was.
    Options,
}

impl Refusal {
    pub(crate) fn answer(self) -> Response<Full<Bytes>> {
        let bad = |detail| problem(StatusCode::BAD_REQUEST, detail);
        match self {
            Self::Target => bad("the request's target is none of this server"),
            Self::Host => bad("the request does not name one valid host"),
            Self::Path => bad("the path is not in its plain form"),
            Self::TooLarge => problem(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
            Self::Misdirected => problem(
                StatusCode::MISDIRECTED_REQUEST,
                "the host is not served here",
            ),
            Self::Loop => {
                let detail = "the request came back to this server";
                problem(StatusCode::LOOP_DETECTED, detail)
            }
            Self::Method => {
                let detail = "this server does not take the method";
                allow(problem(StatusCode::METHOD_NOT_ALLOWED, detail))
            }
            Self::Options => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::NO_CONTENT;
                allow(response)
            }
        }
    }
}

fn allow(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    response.headers_mut().insert(ALLOW, methods);
    response
}
