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
    /// All of it. "A server MAY ignore the Range header field": so is done with what cannot be read, with other
    /// units, and with "many small ranges" or overlapping ones, which "are indications of either a broken client
    /// or a deliberate denial-of-service attack" (RFC 9110 §14.2).
    Whole,
    Bytes(Range<usize>),
    /// Several that share no byte, in the order in which they were asked for.
    Several(Vec<Range<usize>>),
    /// None of its bytes lies there.
    Unsatisfiable,
}

impl Part {
    /// The part of a stored body of this length.
    pub(crate) fn of(request: &HeaderMap, stored: &HeaderMap, length: usize) -> Self {
        let specs = specs_of(request).filter(|_| length > 0 && is_of_the_same(request, stored));
        let Some(specs) = specs else {
            return Self::Whole;
        };
        let mut ranges: Vec<_> = specs
            .iter()
            .filter_map(|spec| spec.within(length))
            .collect();
        match ranges.len() {
            0 => Self::Unsatisfiable,
            1 => Self::Bytes(ranges.remove(0)),
            _ if overlap(&ranges) => Self::Whole,
            _ => Self::Several(ranges),
        }
    }
}

/// One range as it is asked for (RFC 9110 §14.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spec {
    From(usize),
    Between(usize, usize),
    /// So many bytes at the end.
    Last(usize),
}

impl Spec {
    /// The bytes that it means in a body of this length, if there are any.
    pub(crate) fn within(self, length: usize) -> Option<Range<usize>> {
        let range = match self {
            Self::From(first) => first..length,
            Self::Between(first, last) => first..last.saturating_add(1).min(length),
            Self::Last(count) => length - count.min(length)..length,
        };
        (!range.is_empty()).then_some(range)
    }
}

/// The ranges that a request asks for, if it plainly asks for a few.
pub(crate) fn specs_of(request: &HeaderMap) -> Option<Vec<Spec>> {
    let mut lines = request.get_all(RANGE).iter();
    let line = lines.next().filter(|_| lines.next().is_none())?;
    let line = line.as_bytes();
    let at = line.iter().position(|byte| *byte == b'=')?;
    let specs: Vec<_> = line[at + 1..]
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .take(MOST_RANGES + 1)
        .map(parse)
        .collect::<Option<_>>()?;
    let is_readable = line[..at].eq_ignore_ascii_case(b"bytes") && specs.len() <= MOST_RANGES;
    is_readable.then_some(specs)
}

fn overlap(ranges: &[Range<usize>]) -> bool {
    let mut sorted: Vec<_> = ranges.iter().collect();
    sorted.sort_unstable_by_key(|range| range.start);
    sorted.windows(2).any(|two| two[0].end > two[1].start)
}

/// Ranges that one request may ask for.
const MOST_RANGES: usize = 16;

/// Whether the client's other parts are of what is stored, as far as it asks: "A recipient of an If-Range header field
/// MUST ignore the Range header field if the If-Range condition evaluates as false" (RFC 9110 §13.1.5). Compared
/// strongly: a tag that is not
/// weak, or a date that was past when the response was made.
pub(crate) fn is_of_the_same(request: &HeaderMap, stored: &HeaderMap) -> bool {
    let Some(validator) = request.get(IF_RANGE) else {
        return true;
    };
    if validator.as_bytes().starts_with(b"\"") {
        return stored.get(ETAG) == Some(validator);
    }
    let is_strong = date(stored, &LAST_MODIFIED) < date(stored, &DATE);
    is_strong && stored.get(LAST_MODIFIED) == Some(validator)
}

fn parse(range: &[u8]) -> Option<Spec> {
    let dash = range.iter().position(|byte| *byte == b'-')?;
    match [number(&range[..dash])?, number(&range[dash + 1..])?] {
        [Some(first), None] => Some(Spec::From(first)),
        [Some(first), Some(last)] if first <= last => Some(Spec::Between(first, last)),
        [None, Some(count)] => Some(Spec::Last(count)),
        _ => None,
    }
}

/// Nothing if there are no digits; not at all if there is anything else.
pub(super) fn number(digits: &[u8]) -> Option<Option<usize>> {
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
    fn several_are_served_if_they_share_nothing() {
        assert_eq!(of("bytes=0-1,3-4", 10), Part::Several(vec![0..2, 3..5]));
        assert_eq!(of("bytes=-2, 0-0,4-", 10), Part::Whole);
        assert_eq!(of("bytes=-2 ,0-0", 10), Part::Several(vec![8..10, 0..1]));
        assert_eq!(of("bytes=0-1,1-2", 10), Part::Whole);
        assert_eq!(of("bytes=0-1,10-", 10), Part::Bytes(0..2));
        assert_eq!(of("bytes=11-,10-", 10), Part::Unsatisfiable);
        let many = |count: usize| {
            let ranges: Vec<_> = (0..count).map(|i| format!("{0}-{0}", 2 * i)).collect();
            format!("bytes={}", ranges.join(","))
        };
        assert!(matches!(of(&many(16), 100), Part::Several(ranges) if ranges.len() == 16));
        assert_eq!(of(&many(17), 100), Part::Whole);
    }

    #[test]
    fn what_is_not_readable_is_ignored() {
        for range in [
            "bytes=0-1,",
            "bytes=0-1,x",
            "bytes=,",
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
        fn parts_are_never_empty_nor_beyond_the_end(range in "bytes=[0-9]{0,3}-[0-9]{0,3}(,[0-9]{0,3}-[0-9]{0,3}){0,3}", length in 0_usize..300) {
            let parts = match of(&range, length) {
                Part::Bytes(part) => vec![part],
                Part::Several(parts) => parts,
                Part::Whole | Part::Unsatisfiable => vec![],
            };
            prop_assert!(parts.iter().map(ExactSizeIterator::len).sum::<usize>() <= length);
            prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
        }

        #[test]
        fn no_bytes_make_it_panic(value in prop::collection::vec(prop_oneof![Just(b'-'), Just(b','), 48_u8..58, 32_u8..127], 0..40)) {
            let line = [b"bytes=".as_slice(), &value].concat();
            let value = http::HeaderValue::from_bytes(&line).expect("visible ASCII");
            let request = HeaderMap::from_iter([(RANGE, value)]);
            let _part = Part::of(&request, &HeaderMap::new(), 100);
        }
    }
}
