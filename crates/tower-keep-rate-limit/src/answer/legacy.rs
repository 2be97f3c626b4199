//! `X-RateLimit-Limit`, `-Remaining` and `-Reset`, for clients that know nothing better.

use http::{HeaderMap, HeaderName};

use super::{
    figures::{horizon, is_known},
    number,
};
use crate::status::{PolicyStatus, RateLimitStatus};

/// Tells of the tightest policy, since the fields have room for one.
///
/// What a layer further in, or the service itself, has told stays unless this is tighter: to a client that
/// keeps to the tightest of all quotas, no other matters. What cannot be read stays as well.
///
/// Slots have no place here, for a client would take the time to mean something.
pub(super) fn tighten(status: &RateLimitStatus, headers: &mut HeaderMap) {
    let Some(policy) = tightest(status).filter(|_| is_known(status)) else {
        return;
    };
    let (remaining, limit) = standing(policy);
    let is_tightest = || said(headers).is_some_and(|said| is_tighter((remaining, limit), said));
    if is_told(headers) && !is_tightest() {
        return;
    }
    headers.insert(LIMIT, number(limit));
    headers.insert(REMAINING, number(remaining));
    headers.insert(RESET, number(horizon(policy)));
}

/// Whether the response tells of a quota already.
pub(super) fn is_told(headers: &HeaderMap) -> bool {
    [LIMIT, REMAINING, RESET]
        .iter()
        .any(|name| headers.contains_key(name))
}

/// One that refused the request; else that of which the least is left.
fn tightest(status: &RateLimitStatus) -> Option<&PolicyStatus> {
    let told = |policy: &&PolicyStatus| !policy.is_shadow() && !policy.bound.quota.is_concurrent();
    status.policies.iter().filter(told).reduce(|one, other| {
        match (one.retry_after(), other.retry_after()) {
            (Some(_), None) => one,
            (None, Some(_)) => other,
            // Of two that refused it, the later to let it pass.
            (Some(wait), Some(longer)) if wait < longer => other,
            (None, None) if is_tighter(standing(other), standing(one)) => other,
            _ => one,
        }
    })
}

/// What is left, of the most there can be: with a burst that is not the limit, and the fields have no window
/// to tell it by.
fn standing(policy: &PolicyStatus) -> (u64, u64) {
    let most = policy.bound.quota.most_at_once();
    (policy.remaining.into(), most.into())
}

/// What the response says already.
fn said(headers: &HeaderMap) -> Option<(u64, u64)> {
    let number = |name| headers.get(name)?.to_str().ok()?.parse().ok();
    Some((number(&REMAINING)?, number(&LIMIT)?))
}

/// Whether less is left of the one than of the other, relative to their limits.
fn is_tighter((left, limit): (u64, u64), (other_left, other_limit): (u64, u64)) -> bool {
    u128::from(left) * u128::from(other_limit) < u128::from(other_left) * u128::from(limit)
}

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;

    use super::*;
    use crate::{answer::samples, policy::Policy, quota::Quota, status::Refusal};

    fn told(headers: &HeaderMap) -> [String; 3] {
        [LIMIT, REMAINING, RESET].map(|name| samples::lines(headers, name).concat())
    }

    fn tightened(status: &RateLimitStatus) -> [String; 3] {
        let mut headers = HeaderMap::new();
        tighten(status, &mut headers);
        told(&headers)
    }

    #[test]
    fn the_tightest_policy_is_told() {
        let loose = samples::policy("loose", Quota::per_minute(10), 5);
        let tight = samples::policy("tight", Quota::per_hour(100), 20);
        let status = samples::passed([loose, tight]);
        assert_eq!(tightened(&status), ["100", "20", "720"]);
    }

    #[test]
    fn one_that_refused_is_told_before_any_other() {
        let empty = samples::policy("empty", Quota::per_minute(10), 0);
        let costly = samples::policy("costly", Quota::per_minute(100), 3);
        let costlier = samples::refusing(costly.clone(), Duration::from_secs(7));
        let costly = samples::refusing(costly, Duration::from_millis(1200));
        let status = samples::refused(Refusal::Exceeded, [empty, costly, costlier]);
        assert_eq!(tightened(&status), ["100", "3", "7"]);
    }

    #[test]
    fn shadows_and_slots_are_not_told() {
        let shadow = samples::of(&Policy::new("shadow", Quota::per_minute(10)).shadow(), 0);
        let slots = samples::policy("slots", Quota::concurrent(5), 0);
        let nothing: [String; 3] = Default::default();
        assert_eq!(tightened(&samples::passed([shadow, slots])), nothing);
    }

    #[test]
    fn of_layers_within_each_other_the_tightest_is_told() {
        let layer = |limit, remaining| {
            samples::passed([samples::policy("a", Quota::per_minute(limit), remaining)])
        };
        let mut headers = HeaderMap::new();
        tighten(&layer(100, 50), &mut headers);
        tighten(&layer(100, 50), &mut headers);
        tighten(&layer(10, 6), &mut headers);
        assert_eq!(told(&headers), ["100", "50", "30"]);
        tighten(&layer(10, 4), &mut headers);
        assert_eq!(told(&headers), ["10", "4", "24"]);
    }

    #[test]
    fn what_nobody_knows_is_not_told() {
        for why in [Refusal::TooCostly, Refusal::Unidentified] {
            let policy = samples::policy("a", Quota::per_minute(10), 0);
            let nothing: [String; 3] = Default::default();
            assert_eq!(tightened(&samples::refused(why, [policy])), nothing);
        }
    }

    #[test]
    fn what_cannot_be_read_stays() {
        let mut headers = HeaderMap::new();
        headers.insert(LIMIT, HeaderValue::from_static("10, 10;window=1"));
        let status = samples::passed([samples::policy("a", Quota::per_minute(10), 0)]);
        tighten(&status, &mut headers);
        assert_eq!(told(&headers), ["10, 10;window=1", "", ""]);
    }

    #[test]
    fn a_burst_is_what_the_rest_is_measured_by() {
        let policy = samples::policy("a", Quota::per_second(10).burst(50), 40);
        assert_eq!(tightened(&samples::passed([policy])), ["50", "40", "4"]);
    }
}
