//! Refusals of gRPC calls.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header::CONTENT_TYPE};

use super::{figures::seconds_up, percent::percent_encoded, problem::sentence, retry_info};
use crate::status::{PolicyStatus, RateLimitStatus, Refusal};

/// How a call is wrapped: the answer has to be the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grpc {
    /// As gRPC itself.
    Plain,
    /// For browsers.
    Web,
    /// For browsers that can only read text.
    WebText,
}

impl Grpc {
    /// What kind of gRPC a request is, if it is any. Calls are `POST` and nothing else: a `GET` that says it is
    /// one would have its refusal answered 200.
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Option<Self> {
        if method != Method::POST {
            return None;
        }
        Self::named(headers)
    }

    /// The kind that a `Content-Type` names.
    fn named(headers: &HeaderMap) -> Option<Self> {
        let media_type = headers.get(CONTENT_TYPE)?.as_bytes();
        // Before the message's format (`+proto`) and parameters.
        let family = media_type.split(|byte| b"+; \t".contains(byte)).next()?;
        let kinds = [Self::Plain, Self::Web, Self::WebText];
        kinds
            .into_iter()
            .find(|kind| family.eq_ignore_ascii_case(kind.media_type().as_bytes()))
    }

    /// An answer that has no messages but trailers alone, which then travel as headers, under a status of
    /// 200: what happened to the call is not for HTTP to say.
    pub(super) fn refusal(
        self,
        status: &RateLimitStatus,
        why: Refusal,
        wait: Option<Duration>,
    ) -> Response<Bytes> {
        let code = code(why);
        let mut message = String::new();
        let seconds = wait.map(seconds_up);
        sentence(status, why, seconds, PolicyStatus::name, &mut |piece| {
            message.push_str(piece);
        });
        let mut response = Response::default();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type()));
        headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(code)));
        if let Some(wait) = wait {
            let details = STANDARD_NO_PAD.encode(retry_info::status(code, &message, wait));
            headers.insert(GRPC_STATUS_DETAILS, ascii(details));
        }
        headers.insert(GRPC_MESSAGE, ascii(percent_encoded(&message)));
        response
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Plain => "application/grpc",
            Self::Web => "application/grpc-web",
            Self::WebText => "application/grpc-web-text",
        }
    }
}

/// The code as gRPC numbers them.
fn code(why: Refusal) -> u8 {
    match why {
        Refusal::Exceeded | Refusal::TooCostly | Refusal::Banned => RESOURCE_EXHAUSTED,
        Refusal::Unidentified => INVALID_ARGUMENT,
        Refusal::Unavailable => UNAVAILABLE,
    }
}

fn ascii(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("what is encoded is visible ASCII")
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

const INVALID_ARGUMENT: u8 = 3;
const RESOURCE_EXHAUSTED: u8 = 8;
const UNAVAILABLE: u8 = 14;

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};
    use tonic_types::StatusExt;

    use super::*;
    use crate::{answer::samples, quota::Quota};

    fn asked(content_type: &'static str) -> Option<Grpc> {
        let value = HeaderValue::from_static(content_type);
        Grpc::of(
            &Method::POST,
            &HeaderMap::from_iter([(CONTENT_TYPE, value)]),
        )
    }

    fn refusal(why: Refusal, name: &str, wait: Option<Duration>) -> Response<Bytes> {
        let policy = samples::policy(name, Quota::per_minute(100), 0);
        let policy = samples::refusing(policy, wait.unwrap_or_default());
        Grpc::Plain.refusal(&samples::refused(why, [policy]), why, wait)
    }

    #[test]
    fn a_call_is_known_by_its_content_type() {
        let table = [
            ("application/grpc", Some(Grpc::Plain)),
            ("application/grpc+proto", Some(Grpc::Plain)),
            ("Application/gRPC; charset=utf-8", Some(Grpc::Plain)),
            ("application/grpc-web", Some(Grpc::Web)),
            ("application/grpc-web+proto", Some(Grpc::Web)),
            ("application/grpc-web-text+proto", Some(Grpc::WebText)),
            ("application/grpcish", None),
            ("application/json", None),
            ("", None),
        ];
        for (content_type, kind) in table {
            assert_eq!(asked(content_type), kind, "{content_type}");
        }
        assert_eq!(Grpc::of(&Method::POST, &HeaderMap::new()), None);
    }

    #[test]
    fn what_is_no_post_is_no_call() {
        let value = HeaderValue::from_static("application/grpc");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, value)]);
        for method in [Method::GET, Method::PUT, Method::OPTIONS, Method::DELETE] {
            assert_eq!(Grpc::of(&method, &headers), None, "{method}");
        }
    }

    #[test]
    fn a_client_reads_code_message_and_time() {
        let seconds = |millis| Some(Duration::from_millis(millis));
        let table = [
            (Refusal::Exceeded, seconds(36_400), Code::ResourceExhausted),
            (Refusal::Banned, seconds(1 << 40), Code::ResourceExhausted),
            (Refusal::TooCostly, None, Code::ResourceExhausted),
            (Refusal::Unidentified, None, Code::InvalidArgument),
            (Refusal::Unavailable, seconds(1000), Code::Unavailable),
        ];
        for (why, wait, code) in table {
            let response = refusal(why, "100% of \"size\"", wait);
            let status = Status::from_header_map(response.headers()).expect("a status");
            assert_eq!(status.code(), code);
            let info = status.get_details_retry_info();
            assert_eq!(info.and_then(|info| info.retry_delay), wait);
        }
    }

    #[test]
    fn messages_are_encoded_as_grpc_wants() {
        let response = refusal(Refusal::Exceeded, "100% ~\"", Some(Duration::ZERO));
        let message = &response.headers()[GRPC_MESSAGE];
        let encoded = "The quota is used up: 100%25 ~\"; try again in 1 second.";
        assert_eq!(message, encoded);
        let status = Status::from_header_map(response.headers()).expect("a status");
        assert_eq!(
            status.message(),
            "The quota is used up: 100% ~\"; try again in 1 second."
        );
    }

    #[test]
    fn the_answer_is_wrapped_as_the_call_was() {
        let status = samples::refused(Refusal::Unidentified, []);
        for kind in [Grpc::Plain, Grpc::Web, Grpc::WebText] {
            let response = kind.refusal(&status, Refusal::Unidentified, None);
            assert_eq!(Grpc::named(response.headers()), Some(kind));
            assert_eq!(response.status(), 200);
        }
    }
}
