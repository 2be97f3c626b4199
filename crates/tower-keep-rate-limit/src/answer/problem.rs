//! What a refusal says.

use std::fmt;

use bytes::Bytes;
use http::HeaderValue;
use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use super::code;
use crate::status::{PolicyStatus, RateLimitStatus, Refusal};

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
    #[serde(serialize_with = "as_text")]
    detail: Detail<'a>,
    #[serde(skip_serializing_if = "Violated::is_empty")]
    violated_policies: Violated<'a>,
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
        let mut json = SmallVec::<[u8; 512]>::new();
        let written = match self {
            Self::Problem => serde_json::to_writer(&mut json, &Problem::of(status, why, seconds)),
            Self::Json => {
                let plain = Plain {
                    error: error(why),
                    retry_after: seconds,
                };
                serde_json::to_writer(&mut json, &plain)
            }
        };
        written.expect("strings and numbers are JSON");
        Bytes::copy_from_slice(&json)
    }
}

impl<'a> Problem<'a> {
    fn of(status: &'a RateLimitStatus, why: Refusal, seconds: Option<u64>) -> Self {
        let (kind, title) = kind_and_title(why);
        Self {
            kind,
            title,
            status: code(why).as_u16(),
            detail: Detail {
                status,
                why,
                seconds,
            },
            violated_policies: Violated(status),
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
#[derive(Clone, Copy)]
pub(super) struct Detail<'a> {
    pub(super) status: &'a RateLimitStatus,
    pub(super) why: Refusal,
    pub(super) seconds: Option<u64>,
}

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.why {
            Refusal::Exceeded => "The quota is used up",
            Refusal::TooCostly => "The request costs more than can ever be used at once",
            Refusal::Banned => "Too many requests were refused: no more are taken for now",
            Refusal::Unidentified => "The request does not say whose it is",
            Refusal::Unavailable => "Whether the request may pass is not known",
        })?;
        if matches!(self.why, Refusal::Exceeded | Refusal::TooCostly) {
            for (place, policy) in self.status.violated().enumerate() {
                f.write_str(if place == 0 { ": " } else { ", " })?;
                f.write_str(policy.name())?;
            }
        }
        match self.seconds {
            Some(1) => f.write_str("; try again in 1 second."),
            Some(seconds) => write!(f, "; try again in {seconds} seconds."),
            None => f.write_str("."),
        }
    }
}

fn as_text<S: Serializer>(detail: &Detail<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(detail)
}

/// The names of the policies that refused.
struct Violated<'a>(&'a RateLimitStatus);

impl Violated<'_> {
    fn is_empty(&self) -> bool {
        self.0.violated().next().is_none()
    }
}

impl Serialize for Violated<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.violated().map(PolicyStatus::name))
    }
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
