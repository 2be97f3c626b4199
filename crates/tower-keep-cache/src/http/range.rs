//! Which part of a stored response a request asks for (RFC 9110 §14).

use std::ops::Range;

use http::{
    HeaderMap,
    header::{DATE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE},
};

use super::freshness::date;

/// What a request with `Range` is to be answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it. "A server MAY ignore the Range header field": so is done with several ranges, which cost more
    /// than they are worth, with other units and with what cannot be read.
    Whole,
    Bytes(Range<usize>),
    /// None of its bytes lies there.
    Unsatisfiable,
}

impl Part {
    /// The part of a stored body of this length.
    pub(crate) fn of(request: &HeaderMap, stored: &HeaderMap, length: usize) -> Self {
        let mut lines = request.get_all(RANGE).iter();
        let line = lines.next().filter(|_| lines.next().is_none());
        let range = line.and_then(|line| parse(line.as_bytes()));
        match range.filter(|_| length > 0 && is_of_the_same(request, stored)) {
            None => Self::Whole,
            Some((Some(first), _)) if first >= length => Self::Unsatisfiable,
            Some((Some(first), last)) => {
                let last = last.unwrap_or(usize::MAX).min(length - 1);
                Self::Bytes(first..last + 1)
            }
            Some((None, Some(0))) => Self::Unsatisfiable,
            Some((None, suffix)) => Self::Bytes(length - suffix.unwrap_or(0).min(length)..length),
        }
    }
}

/// Whether the client's other parts are of what is stored, as far as it asks: "If the validator does not match,
/// the server … SHOULD send the entire representation" (RFC 9110 §13.1.5). Compared strongly: a tag that is not
/// weak, or a date that was past when the response was made.
fn is_of_the_same(request: &HeaderMap, stored: &HeaderMap) -> bool {
    let Some(validator) = request.get(IF_RANGE) else {
        return true;
    };
    if validator.as_bytes().starts_with(b"\"") {
        return stored.get(ETAG) == Some(validator);
    }
    let is_strong = date(stored, &LAST_MODIFIED) < date(stored, &DATE);
    is_strong && stored.get(LAST_MODIFIED) == Some(validator)
}

/// The first and the last byte of one range, or without a first one, how many of the last bytes.
fn parse(line: &[u8]) -> Option<(Option<usize>, Option<usize>)> {
    let at = line.iter().position(|byte| *byte == b'=')?;
    let (unit, range) = (&line[..at], line[at + 1..].trim_ascii());
    let dash = range.iter().position(|byte| *byte == b'-')?;
    let [first, last] = [number(&range[..dash])?, number(&range[dash + 1..])?];
    let is_ordered = match (first, last) {
        (None, None) => false,
        (Some(first), Some(last)) => first <= last,
        _ => true,
    };
    (unit.eq_ignore_ascii_case(b"bytes") && is_ordered).then_some((first, last))
}

/// Nothing if there are no digits; not at all if there is anything else.
fn number(digits: &[u8]) -> Option<Option<usize>> {
    if digits.is_empty() {
        return Some(None);
    }
    let is_number = digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| {
        let add = |sum: usize, digit: &u8| {
            let digit = usize::from(digit - b'0');
            sum.saturating_mul(10).saturating_add(digit)
        };
        Some(digits.iter().fold(0, add))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                let name = name.parse::<http::HeaderName>().expect("a field name");
                (name, value.parse().expect("a field value"))
            })
            .collect()
    }

    fn of(range: &str, length: usize) -> Part {
        Part::of(&fields(&[("range", range)]), &HeaderMap::new(), length)
    }

    #[test]
    fn one_range_is_cut_to_what_there_is() {
        assert_eq!(of("bytes=0-1", 10), Part::Bytes(0..2));
        assert_eq!(of("Bytes=9-9", 10), Part::Bytes(9..10));
        assert_eq!(of("bytes=4-", 10), Part::Bytes(4..10));
        assert_eq!(of("bytes=4-99", 10), Part::Bytes(4..10));
        assert_eq!(of("bytes=-3", 10), Part::Bytes(7..10));
        assert_eq!(of("bytes=-99", 10), Part::Bytes(0..10));
        let huge = "bytes=0-99999999999999999999999";
        assert_eq!(of(huge, 10), Part::Bytes(0..10));
    }

    #[test]
    fn what_lies_beyond_the_end_cannot_be_had() {
        for range in [
            "bytes=10-",
            "bytes=10-11",
            "bytes=-0",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(of(range, 10), Part::Unsatisfiable, "{range}");
        }
    }

    #[test]
    fn what_is_not_one_readable_range_is_ignored() {
        for range in [
            "bytes=0-1,3-4",
            "bytes=2-1",
            "bytes=-",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes 0-1",
            "lines=0-1",
            "",
        ] {
            assert_eq!(of(range, 10), Part::Whole, "{range}");
        }
        assert_eq!(of("bytes=0-1", 0), Part::Whole);
    }

    #[test]
    fn parts_of_something_else_are_not_mixed() {
        let [then, later] = [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:38 GMT",
        ];
        let same = |validator: &str, stored: &[(&'static str, &str)]| {
            let asked = fields(&[("range", "bytes=0-1"), ("if-range", validator)]);
            Part::of(&asked, &fields(stored), 10) == Part::Bytes(0..2)
        };
        assert!(same("\"a\"", &[("etag", "\"a\"")]));
        assert!(!same("\"a\"", &[("etag", "\"b\"")]));
        assert!(!same("W/\"a\"", &[("etag", "W/\"a\"")]));
        assert!(!same("\"a\"", &[]));
        assert!(same(then, &[("last-modified", then), ("date", later)]));
        assert!(!same(then, &[("last-modified", then), ("date", then)]));
        assert!(!same(later, &[("last-modified", then), ("date", later)]));
    }

    proptest! {
        #[test]
        fn a_part_is_never_empty_nor_beyond_the_end(range in "bytes=[0-9]{0,3}-[0-9]{0,3}", length in 0_usize..300) {
            if let Part::Bytes(part) = of(&range, length) {
                prop_assert!(part.start < part.end && part.end <= length);
            }
        }
    }
}
