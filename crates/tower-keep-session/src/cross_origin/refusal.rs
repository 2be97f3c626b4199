//! What a refusal says.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its browser says that another site sent it.
    Site,
    /// Its `Origin` is another one, and its browser says no more.
    Origin,
    /// It says twice where it comes from, or where it goes.
    Twice,
}

impl Refusal {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Site => "The request was sent by a page of another origin.",
            Self::Origin => {
                "The request was sent by a page of another origin, or by an old browser."
            }
            Self::Twice => "The request has a field twice that it may have once.",
        }
    }

    /// The response (RFC 9457). No cache may keep it.
    pub(super) fn response(self) -> Response<Bytes> {
        let detail = self.as_str();
        let problem = format!(
            r#"{{"type":"about:blank","title":"Forbidden","status":403,"detail":"{detail}"}}"#
        );
        let mut response = Response::new(problem.into());
        *response.status_mut() = StatusCode::FORBIDDEN;
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
