//! What a refusal says.

use bytes::Bytes;
use http::HeaderValue;
use serde::Serialize;

use super::code;
use crate::status::{RateLimitStatus, Refusal};

/// What the body of a refusal is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalBody {
    /// A problem (RFC 9457), of the types that draft-ietf-httpapi-ratelimit-headers defines.
    #[default]
    Problem,
    /// `{"error":"rate limit exceeded","retryAfter":37}`, without a time where none helps.
    Json,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violated_policies: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Plain {
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl RefusalBody {
    pub(super) fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Problem => "application/problem+json",
            Self::Json => "application/json",
        })
    }

    pub(super) fn written(
        self,
        status: &RateLimitStatus,
        why: Refusal,
        seconds: Option<u64>,
    ) -> Bytes {
        let json = match self {
            Self::Problem => serde_json::to_vec(&Problem::of(status, why, seconds)),
            Self::Json => serde_json::to_vec(&Plain {
                error: error(why),
                retry_after: seconds,
            }),
        };
        json.expect("strings and numbers are JSON").into()
    }
}

impl<'a> Problem<'a> {
    fn of(status: &'a RateLimitStatus, why: Refusal, seconds: Option<u64>) -> Self {
        let (kind, title) = kind_and_title(why);
        Self {
            kind,
            title,
            status: code(why).as_u16(),
            detail: detail(status, why, seconds),
            violated_policies: status.violated().map(|policy| &*policy.name).collect(),
        }
    }
}

/// To problems that are no more than their status, RFC 9457 gives no type and the title of the status.
fn kind_and_title(why: Refusal) -> (&'static str, &'static str) {
    match why {
        Refusal::Exceeded => (
            "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "Request cannot be satisfied as assigned quota has been exceeded",
        ),
        Refusal::TooCostly => ("about:blank", "Too Many Requests"),
        Refusal::Banned => (
            "https://iana.org/assignments/http-problem-types#abnormal-usage-detected",
            "Request not satisfied due to detection of abnormal request pattern",
        ),
        Refusal::Unidentified => ("about:blank", "Bad Request"),
        Refusal::Unavailable => (
            "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
            "Request cannot be satisfied due to temporary server capacity constraints",
        ),
    }
}

/// A sentence for whoever reads it.
pub(super) fn detail(status: &RateLimitStatus, why: Refusal, seconds: Option<u64>) -> String {
    let what = match why {
        Refusal::Exceeded => format!("The quota is used up{}", of(status)),
        Refusal::TooCostly => format!(
            "The request costs more than can ever be used at once{}",
            of(status)
        ),
        Refusal::Banned => "Too many requests were refused: no more are taken for now".to_owned(),
        Refusal::Unidentified => "The request does not say whose it is".to_owned(),
        Refusal::Unavailable => "Whether the request may pass is not known".to_owned(),
    };
    match seconds {
        Some(1) => format!("{what}; try again in 1 second."),
        Some(seconds) => format!("{what}; try again in {seconds} seconds."),
        None => format!("{what}."),
    }
}

/// Whose quota, where that is known.
fn of(status: &RateLimitStatus) -> String {
    let names: Vec<_> = status.violated().map(|policy| &*policy.name).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(": {}", names.join(", "))
}

fn error(why: Refusal) -> &'static str {
    match why {
        Refusal::Exceeded => "rate limit exceeded",
        Refusal::TooCostly => "request too costly",
        Refusal::Banned => "banned",
        Refusal::Unidentified => "request unidentified",
        Refusal::Unavailable => "rate limit unavailable",
    }
}
