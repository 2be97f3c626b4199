//! How long a response stays fresh, and how old it is already (RFC 9111 §4.2).

use std::time::Duration;

use http::{
    HeaderMap, HeaderName,
    header::{AGE, DATE, EXPIRES, LAST_MODIFIED},
};
use tower_keep_store::Timestamp;

use super::control::Control;

/// When a fetch was sent and when its answer began to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) sent: Timestamp,
    pub(crate) received: Timestamp,
}

/// The freshness lifetime that the origin states, if it does: `s-maxage`, else `max-age`, else
/// `Expires` (RFC 9111 §4.2.1).
pub(crate) fn stated_lifetime(
    control: &Control,
    headers: &HeaderMap,
    times: Times,
) -> Option<Duration> {
    if let Some(seconds) = control.s_maxage.or(control.max_age) {
        return Some(seconds);
    }
    if control.is_targeted || !headers.contains_key(EXPIRES) {
        return None;
    }
    // "A cache recipient MUST interpret invalid date formats, especially the value "0", as
    // representing a time in the past" (RFC 9111 §5.3); two different dates are as invalid.
    let expires = date(headers, &EXPIRES).unwrap_or_default();
    let now = date(headers, &DATE).unwrap_or(times.received);
    Some(expires.since(now))
}

/// "A typical setting of this fraction might be 10%" of the time since `Last-Modified` (RFC 9111 §4.2.2);
/// at most a day.
pub(crate) fn heuristic_lifetime(headers: &HeaderMap, times: Times) -> Option<Duration> {
    let modified = date(headers, &LAST_MODIFIED)?;
    let now = date(headers, &DATE).unwrap_or(times.received);
    Some((now.since(modified) / 10).min(DAY))
}

/// How old the response was when it came (RFC 9111 §4.2.3, `corrected_initial_age`).
pub(crate) fn initial_age(headers: &HeaderMap, times: Times) -> Duration {
    let age_value = stated_age(headers).map_or(Duration::ZERO, Duration::from_secs);
    // A date that lies ahead of our clock says nothing about age.
    let apparent_age =
        date(headers, &DATE).map_or(Duration::ZERO, |date| times.received.since(date));
    let response_delay = times.received.since(times.sent);
    apparent_age.max(age_value + response_delay)
}

/// What caches on the way here say of the age, if they do. What they say in no readable way may be any
/// age, so it is the greatest: the response is stale.
///
/// "A cache encountering a message with a list-based Age field value SHOULD use the first member of the field
/// value, discarding subsequent ones" (RFC 9111 §5.1). That holds for a list that was written as one. Two
/// lines, also if somebody has joined them since (by a comma and a space: RFC 9110 §5.3), are two caches that
/// do not know of each other.
fn stated_age(headers: &HeaderMap) -> Option<u64> {
    if !headers.contains_key(AGE) {
        return None;
    }
    let seconds = only(headers, &AGE).filter(|line| !line.contains(", "));
    let first = seconds.map(|line| line.split(',').next().unwrap_or(line));
    Some(first.and_then(delta_seconds).unwrap_or(GREATEST))
}

/// "If a cache receives a delta-seconds value greater than the greatest integer it can represent … the cache
/// MUST consider the value to be 2147483648" (RFC 9111 §1.2.2).
fn delta_seconds(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(GREATEST).min(GREATEST))
}

/// The moment a date field names; nothing if it is absent, malformed, or there are two.
pub(crate) fn date(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(only(headers, name)?).ok()?;
    Some(date.into())
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?.trim();
    values.next().is_none().then_some(value)
}

const GREATEST: u64 = 1 << 31;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    const RECEIVED: u64 = 784_111_777; // Sun, 06 Nov 1994 08:49:37 GMT

    fn times(delay: u64) -> Times {
        Times {
            sent: Timestamp::from_secs(RECEIVED - delay),
            received: Timestamp::from_secs(RECEIVED),
        }
    }

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| {
                let name = name.parse::<HeaderName>().expect("a field name");
                (name, value.parse().expect("a field value"))
            })
            .collect()
    }

    fn lifetime(fields: &[(&'static str, &'static str)]) -> Option<u64> {
        let headers = headers(fields);
        stated_lifetime(&Control::of(&headers), &headers, times(0)).map(|life| life.as_secs())
    }

    #[test]
    fn the_most_specific_statement_wins() {
        let expires = ("expires", "Sun, 06 Nov 1994 08:50:07 GMT");
        assert_eq!(
            lifetime(&[("cache-control", "max-age=9, s-maxage=5"), expires]),
            Some(5)
        );
        assert_eq!(
            lifetime(&[("cache-control", "max-age=9"), expires]),
            Some(9)
        );
        assert_eq!(lifetime(&[expires]), Some(30));
        assert_eq!(
            lifetime(&[expires, ("date", "Sun, 06 Nov 1994 08:50:00 GMT")]),
            Some(7)
        );
        assert_eq!(lifetime(&[]), None);
    }

    #[test]
    fn an_expires_that_cannot_be_read_is_past() {
        assert_eq!(lifetime(&[("expires", "0")]), Some(0));
        assert_eq!(lifetime(&[("expires", "tomorrow")]), Some(0));
    }

    #[test]
    fn age_counts_what_upstream_said_and_the_way_here() {
        let age = |fields, delay| initial_age(&headers(fields), times(delay)).as_secs();
        assert_eq!(age(&[], 0), 0);
        assert_eq!(age(&[("age", "40")], 2), 42);
        assert_eq!(
            age(
                &[("date", "Sun, 06 Nov 1994 08:48:37 GMT"), ("age", "40")],
                2
            ),
            60
        );
        assert_eq!(age(&[("date", "Sun, 06 Nov 1994 09:49:37 GMT")], 2), 2);
        assert_eq!(age(&[("age", "99999999999999999999")], 0), GREATEST);
    }

    #[test]
    fn an_age_that_cannot_be_read_is_the_greatest() {
        let age = |lines: &[&'static str]| {
            let fields: Vec<_> = lines.iter().map(|line| ("age", *line)).collect();
            initial_age(&headers(&fields), times(0)).as_secs()
        };
        for line in ["abc", "-7200", "+7", "7200.0", "7;foo=bar", "", "0, 0"] {
            assert_eq!(age(&[line]), GREATEST, "{line}");
        }
        assert_eq!(age(&["0", "7200"]), GREATEST);
        assert_eq!(age(&["0", "0"]), GREATEST);
        assert_eq!(age(&["7200,0"]), 7200);
        assert_eq!(age(&["0,7200"]), 0);
    }

    #[test]
    fn an_estimate_is_a_tenth_of_the_time_since_the_last_change() {
        let estimate = |modified| {
            heuristic_lifetime(&headers(&[("last-modified", modified)]), times(0))
                .map(|lifetime| lifetime.as_secs())
        };
        assert_eq!(estimate("Sun, 06 Nov 1994 08:48:37 GMT"), Some(6));
        assert_eq!(estimate("Sun, 06 Nov 1994 09:49:37 GMT"), Some(0));
        assert_eq!(estimate("Wed, 06 Nov 1974 08:49:37 GMT"), Some(86_400));
        assert_eq!(estimate("recently"), None);
        assert_eq!(heuristic_lifetime(&HeaderMap::new(), times(0)), None);
    }
}
