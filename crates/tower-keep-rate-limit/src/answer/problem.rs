//! What a refusal says.

use std::sync::LazyLock;

use bytes::Bytes;
use http::HeaderValue;
use serde::Serialize;
use smallvec::SmallVec;

use super::code;
use crate::status::{PolicyStatus, RateLimitStatus, Refusal};

/// What the body of a refusal is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalBody {
    /// A problem (RFC 9457), of the types that draft-ietf-httpapi-ratelimit-headers defines; of one of its
    /// own, [`TooCostly`](Refusal::TooCostly), if no wait will help.
    #[default]
    Problem,
    /// `{"error":"rate limit exceeded","retryAfter":37}`, the time in seconds, and only where waiting helps.
    ///
    /// | `error` | when |
    /// |---|---|
    /// | `rate limit exceeded` | [`Exceeded`](Refusal::Exceeded) |
    /// | `request too costly` | [`TooCostly`](Refusal::TooCostly), without a time |
    /// | `banned` | [`Banned`](Refusal::Banned) |
    /// | `request unidentified` | [`Unidentified`](Refusal::Unidentified), without a time |
    /// | `rate limit unavailable` | [`Unavailable`](Refusal::Unavailable) |
    Json,
}

/// What is always the same of a problem.
#[derive(Serialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
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
        match self {
            Self::Problem => problem(status, why, seconds),
            Self::Json => json(&Plain {
                error: error(why),
                retry_after: seconds,
            })
            .into(),
        }
    }
}

/// Written from pieces that are JSON already: it is what most of those who are refused are sent.
fn problem(status: &RateLimitStatus, why: Refusal, seconds: Option<u64>) -> Bytes {
    let mut text = SmallVec::<[u8; 512]>::new();
    let mut push = |piece: &str| text.extend_from_slice(piece.as_bytes());
    let mut violated = status.violated();
    match (why, seconds, violated.next(), violated.next()) {
        (Refusal::Exceeded, Some(2..), Some(only), None) => {
            let [before, after] = &only.bound.told.problem;
            push(before);
            push(itoa::Buffer::new().format(seconds.unwrap_or_default()));
            push(after);
        }
        _ => assembled(status, why, seconds, &mut push),
    }
    Bytes::copy_from_slice(&text)
}

fn assembled(
    status: &RateLimitStatus,
    why: Refusal,
    seconds: Option<u64>,
    push: &mut impl FnMut(&str),
) {
    push(head(why));
    push(DETAIL);
    sentence(status, why, seconds, json_of_name, push);
    push("\"");
    let mut end = "}";
    for policy in status.violated() {
        let is_first = end == "}";
        push(if is_first { VIOLATED } else { ",\"" });
        push(json_of_name(policy));
        push("\"");
        end = "]}";
    }
    push(end);
}

/// What [`assembled`] makes of the only policy whose quota is used up, before and after the seconds, where these are
/// more than one.
pub(super) fn of_one(name: &str) -> [String; 2] {
    let why = Refusal::Exceeded;
    let (head, what) = (head(why), what(why));
    [
        format!("{head}{DETAIL}{what}: {name}{TRY_AGAIN}"),
        format!("{SECONDS}\"{VIOLATED}{name}\"]}}"),
    ]
}

fn json_of_name(policy: &PolicyStatus) -> &str {
    &policy.bound.told.json
}

/// What is always the same of a problem, without the end.
fn head(why: Refusal) -> &'static str {
    static HEADS: LazyLock<[String; 5]> = LazyLock::new(|| {
        REFUSALS.map(|why| {
            let (kind, title) = kind_and_title(why);
            let status = code(why).as_u16();
            let mut head = json(&Problem {
                kind,
                title,
                status,
            });
            head.pop();
            head
        })
    });
    let place = REFUSALS.iter().position(|other| *other == why);
    &HEADS[place.expect("all refusals have one")]
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings and numbers are JSON")
}

/// To problems that are no more than their status, RFC 9457 gives no type and the title of the status.
fn kind_and_title(why: Refusal) -> (&'static str, &'static str) {
    match why {
        Refusal::Exceeded => (
            "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "Request cannot be satisfied as assigned quota has been exceeded",
        ),
        Refusal::TooCostly => (
            "https://docs.rs/tower-keep-rate-limit/latest/tower_keep_rate_limit/enum.Refusal.html#variant.TooCostly",
            "Request can never be satisfied as it costs more than its quota allows at once",
        ),
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

fn what(why: Refusal) -> &'static str {
    match why {
        Refusal::Exceeded => "The quota is used up",
        Refusal::TooCostly => "The request costs more than can ever be used at once",
        Refusal::Banned => "Too many requests were refused: no more are taken for now",
        Refusal::Unidentified => "The request does not say whose it is",
        Refusal::Unavailable => "Whether the request may pass is not known",
    }
}

/// A sentence for whoever reads it.
pub(super) fn sentence(
    status: &RateLimitStatus,
    why: Refusal,
    seconds: Option<u64>,
    name: impl Fn(&PolicyStatus) -> &str,
    push: &mut impl FnMut(&str),
) {
    push(what(why));
    if matches!(why, Refusal::Exceeded | Refusal::TooCostly) {
        for (place, policy) in status.violated().enumerate() {
            push(if place == 0 { ": " } else { ", " });
            push(name(policy));
        }
    }
    match seconds {
        Some(1) => push("; try again in 1 second."),
        Some(seconds) => {
            push(TRY_AGAIN);
            push(itoa::Buffer::new().format(seconds));
            push(SECONDS);
        }
        None => push("."),
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

const REFUSALS: [Refusal; 5] = [
    Refusal::Exceeded,
    Refusal::TooCostly,
    Refusal::Banned,
    Refusal::Unidentified,
    Refusal::Unavailable,
];

const DETAIL: &str = ",\"detail\":\"";
const TRY_AGAIN: &str = "; try again in ";
const SECONDS: &str = " seconds.";
const VIOLATED: &str = ",\"violated-policies\":[\"";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{answer::samples, quota::Quota};

    #[test]
    fn what_was_written_before_is_what_would_be_assembled() {
        for name in ["merchant", r#"a "strict" \ one"#] {
            let policy = samples::policy(name, Quota::per_minute(100), 0);
            let policy = samples::refusing(policy, Duration::from_secs(37));
            let status = samples::refused(Refusal::Exceeded, [policy]);
            for seconds in [None, Some(1), Some(2), Some(37), Some(u64::MAX)] {
                let mut text = String::new();
                assembled(&status, Refusal::Exceeded, seconds, &mut |piece| {
                    text.push_str(piece);
                });
                assert_eq!(problem(&status, Refusal::Exceeded, seconds), text);
            }
        }
    }
}
