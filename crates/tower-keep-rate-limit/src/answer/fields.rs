//! `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers).

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{Integer, ItemSerializer, KeyRef, StringRef, key_ref, string_ref};
use smallvec::SmallVec;

use super::figures::{Allowance, horizon, is_known};
use crate::{
    quota::Quota,
    status::{PolicyStatus, RateLimitStatus},
};

/// What the fields say.
#[derive(Debug, Default)]
pub(super) struct Fields {
    allowed: Option<HeaderValue>,
    left: Option<HeaderValue>,
}

impl Fields {
    pub(super) fn of(status: &RateLimitStatus) -> Self {
        let told = || status.policies.iter().filter(|policy| !policy.is_shadow());
        let mut members = told().map(|policy| &policy.bound.told.allowed);
        let allowed = match (members.next(), members.next()) {
            (None, _) => return Self::default(),
            (Some(only), None) => only.clone(),
            _ => listed(told(), |policy, line| {
                line.extend_from_slice(policy.bound.told.allowed.as_bytes());
            }),
        };
        Self {
            allowed: Some(allowed),
            left: is_known(status).then(|| listed(told(), left)),
        }
    }

    /// Adds a line of each, after those of layers further in: a client reads them as one list.
    pub(super) fn append(self, headers: &mut HeaderMap) {
        let lines = [(RATE_LIMIT_POLICY, self.allowed), (RATE_LIMIT, self.left)];
        for (name, value) in lines {
            if let Some(value) = value {
                headers.append(name, value);
            }
        }
    }
}

/// What a policy allows, as a member of `RateLimit-Policy`.
pub(super) fn allowed(name: &StringRef, quota: Quota, allowance: Allowance) -> HeaderValue {
    let item = ItemSerializer::new().bare_item(name);
    let item = if quota.is_concurrent() {
        let item = item.parameter(QUOTA, integer(quota.limit().into()));
        item.parameter(UNIT, CONCURRENT_REQUESTS)
    } else {
        let item = item.parameter(QUOTA, integer(allowance.units));
        item.parameter(WINDOW, integer(allowance.seconds))
    };
    HeaderValue::try_from(item.finish()).expect(VISIBLE)
}

/// What is left of a policy, as a member of `RateLimit`: written by hand, for every response has it, and names
/// are strings already. Of slots nobody knows when they are free again, so no time is told.
fn left(policy: &PolicyStatus, line: &mut Line) {
    let mut number = itoa::Buffer::new();
    line.extend_from_slice(policy.bound.told.name.as_bytes());
    line.extend_from_slice(b";r=");
    line.extend_from_slice(number.format(policy.remaining).as_bytes());
    if !policy.bound.quota.is_concurrent() {
        line.extend_from_slice(b";t=");
        line.extend_from_slice(number.format(horizon(policy)).as_bytes());
    }
}

/// A list of members.
fn listed<'a>(
    policies: impl Iterator<Item = &'a PolicyStatus>,
    mut member: impl FnMut(&PolicyStatus, &mut Line),
) -> HeaderValue {
    let mut line = Line::new();
    for policy in policies {
        if !line.is_empty() {
            line.extend_from_slice(b", ");
        }
        member(policy, &mut line);
    }
    HeaderValue::from_bytes(&line).expect(VISIBLE)
}

fn integer(number: u64) -> Integer {
    Integer::try_from(number).unwrap_or(Integer::MAX)
}

/// Two policies usually have room in it.
type Line = SmallVec<[u8; 128]>;

pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

const QUOTA: &KeyRef = key_ref("q");
const UNIT: &KeyRef = key_ref("qu");
const WINDOW: &KeyRef = key_ref("w");

const CONCURRENT_REQUESTS: &StringRef = string_ref("concurrent-requests");

const VISIBLE: &str = "a serialised structured field is visible ASCII";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        answer::samples::{self, Member},
        policy::Policy,
        quota::Quota,
    };

    fn lines(status: &RateLimitStatus) -> [Vec<String>; 2] {
        let mut headers = HeaderMap::new();
        Fields::of(status).append(&mut headers);
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
        let shadow = samples::of(&Policy::new("shadow", Quota::per_minute(1)).shadow(), 0);
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
            Fields::of(&samples::passed([policy])).append(&mut headers);
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
