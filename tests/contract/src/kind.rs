use http::{HeaderValue, Method, Request, header};
use tower_keep_test_support::ScriptedBody;

/// What a request can look like to a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Get,
    Head,
    /// A streamed body of unknown length.
    Post,
    /// A framed message, and trailers in the answer.
    Grpc,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Get, Self::Head, Self::Post, Self::Grpc];
    pub(crate) const WITH_BODY: [Self; 2] = [Self::Post, Self::Grpc];

    pub(crate) fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Head => Method::HEAD,
            Self::Post | Self::Grpc => Method::POST,
        }
    }

    pub(crate) fn body(self) -> ScriptedBody {
        match self {
            Self::Get | Self::Head => ScriptedBody::empty(),
            Self::Post => ScriptedBody::full("asked")
                .pend_once()
                .data("more")
                .unknown_length(),
            Self::Grpc => ScriptedBody::full(&b"\0\0\0\0\x01m"[..]).unknown_length(),
        }
    }

    pub(crate) fn mark(self, request: &mut Request<ScriptedBody>) {
        if self == Self::Grpc {
            let fields = request.headers_mut();
            fields.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/grpc"),
            );
            fields.insert(header::TE, HeaderValue::from_static("trailers"));
        }
    }
}
