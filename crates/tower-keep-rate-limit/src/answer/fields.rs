//! `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers).

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{Integer, KeyRef, ListSerializer, StringRef, key_ref, string_ref};

use super::figures::{Allowance, horizon};
use crate::status::{PolicyStatus, RateLimitStatus};

/// Adds a line of each field, after those of layers further in: a client reads them as one list.
pub(super) fn append(status: &RateLimitStatus, headers: &mut HeaderMap) {
    let mut told = status.policies.iter().filter(|policy| !policy.is_shadow);
    let Some(first) = told.next() else {
        return;
    };
    let told = || std::iter::once(first).chain(told.clone());
    let mut line = String::with_capacity(LINE);
    allowed(told(), &mut line);
    headers.append(RATE_LIMIT_POLICY, value(&line));
    line.clear();
    left(told(), status, &mut line);
    headers.append(RATE_LIMIT, value(&line));
}

/// What each policy allows.
fn allowed<'a>(policies: impl Iterator<Item = &'a PolicyStatus>, line: &mut String) {
    let mut list = ListSerializer::with_buffer(line);
    for policy in policies {
        let item = list.bare_item(name(policy));
        if policy.quota.is_concurrent() {
            let item = item.parameter(QUOTA, integer(policy.quota.limit().into()));
            _ = item.parameter(UNIT, CONCURRENT_REQUESTS);
        } else {
            let Allowance { units, seconds } = Allowance::of(policy.quota);
            let item = item.parameter(QUOTA, integer(units));
            _ = item.parameter(WINDOW, integer(seconds));
        }
    }
}

/// What is left of each. Of slots nobody knows when they are free again, so no time is told.
fn left<'a>(
    policies: impl Iterator<Item = &'a PolicyStatus>,
    status: &RateLimitStatus,
    line: &mut String,
) {
    let mut list = ListSerializer::with_buffer(line);
    for policy in policies {
        let item = list.bare_item(name(policy));
        let item = item.parameter(REMAINING, integer(policy.remaining.into()));
        if !policy.quota.is_concurrent() {
            _ = item.parameter(TIME, integer(horizon(policy, status)));
        }
    }
}

fn name(policy: &PolicyStatus) -> &StringRef {
    StringRef::from_str(&policy.name).expect("names are checked when a layer is built")
}

fn integer(number: u64) -> Integer {
    Integer::try_from(number).unwrap_or(Integer::MAX)
}

fn value(line: &str) -> HeaderValue {
    HeaderValue::from_str(line).expect("a serialised structured field is visible ASCII")
}

pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Bytes in which two policies usually have room.
const LINE: usize = 96;

const QUOTA: &KeyRef = key_ref("q");
const UNIT: &KeyRef = key_ref("qu");
const WINDOW: &KeyRef = key_ref("w");
const REMAINING: &KeyRef = key_ref("r");
const TIME: &KeyRef = key_ref("t");

const CONCURRENT_REQUESTS: &StringRef = string_ref("concurrent-requests");

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        answer::samples::{self, Member},
        quota::Quota,
    };

    fn lines(status: &RateLimitStatus) -> [Vec<String>; 2] {
        let mut headers = HeaderMap::new();
        append(status, &mut headers);
        [RATE_LIMIT_POLICY, RATE_LIMIT].map(|name| samples::lines(&headers, name))
    }

    #[test]
    fn all_policies_stand_on_one_line_each_field() {
        let mut minute = samples::policy("minute", Quota::per_minute(100), 12);
        minute.reset = Duration::from_millis(36_400);
        let burst = samples::policy("burst", Quota::per_second(10).burst(50), 50);
        let slots = samples::policy("slots", Quota::concurrent(5), 4);
        let status = samples::passed([minute, burst, slots]);
        let [policy, limit] = lines(&status);
        assert_eq!(
            policy,
            [r#""minute";q=100;w=60, "burst";q=10;w=1, "slots";q=5;qu="concurrent-requests""#]
        );
        assert_eq!(
            limit,
            [r#""minute";r=12;t=37, "burst";r=50;t=5, "slots";r=4"#]
        );
    }

    #[test]
    fn shadows_are_not_told() {
        let mut shadow = samples::policy("shadow", Quota::per_minute(1), 0);
        shadow.is_shadow = true;
        let told = samples::policy("told", Quota::per_second(1), 1);
        let [policy, limit] = lines(&samples::passed([shadow.clone(), told, shadow.clone()]));
        assert_eq!(policy, [r#""told";q=1;w=1"#]);
        assert_eq!(limit, [r#""told";r=1;t=1"#]);
        let nothing: [Vec<String>; 2] = Default::default();
        assert_eq!(lines(&samples::passed([shadow])), nothing);
    }

    #[test]
    fn lines_of_layers_further_in_stay_and_come_first() {
        let mut headers = HeaderMap::new();
        for name in ["inner", "outer"] {
            let policy = samples::policy(name, Quota::per_second(1), 1);
            append(&samples::passed([policy]), &mut headers);
        }
        let policies = samples::lines(&headers, "ratelimit-policy");
        assert_eq!(policies, [r#""inner";q=1;w=1"#, r#""outer";q=1;w=1"#]);
        assert_eq!(samples::lines(&headers, "ratelimit").len(), 2);
    }

    #[test]
    fn a_parser_of_structured_fields_reads_what_was_written() {
        let names = [r#"a "quoted" \ name"#, "%;,=", "~"];
        let quota = Quota::new(u32::MAX, Duration::from_millis(1));
        let status = samples::passed(names.map(|name| samples::policy(name, quota, u32::MAX)));
        let [policy, limit] = lines(&status);
        let member = |name: &str, figures: [(&str, i64); 2]| Member {
            name: name.to_owned(),
            figures: figures.map(|(key, value)| (key.to_owned(), value)).into(),
        };
        let expected = names.map(|name| member(name, [("q", 4_294_967_295_000), ("w", 1)]));
        assert_eq!(samples::parsed(&policy[0]), expected);
        let expected = names.map(|name| member(name, [("r", u32::MAX.into()), ("t", 1)]));
        assert_eq!(samples::parsed(&limit[0]), expected);
    }
}
