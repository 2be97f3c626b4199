//! Where a part lies in the whole (RFC 9110 §14.4).

use std::ops::Range;

use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_RANGE, ETAG},
};

use super::range::{Spec, number};

/// The bytes that a part has, and how long the whole is, if that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) bytes: Range<usize>,
    pub(crate) complete: Option<usize>,
}

impl Place {
    /// What `Content-Range` says; nothing if it is "invalid if it contains a range-resp that has a last-pos value
    /// less than its first-pos value, or a complete-length value less than or equal to its last-pos value".
    pub(crate) fn of(fields: &HeaderMap) -> Option<Self> {
        let mut lines = fields.get_all(CONTENT_RANGE).iter();
        let line = lines.next().filter(|_| lines.next().is_none())?;
        let (unit, said) = line.to_str().ok()?.trim().split_once(' ')?;
        let (bytes, complete) = said.split_once('/')?;
        let (first, last) = bytes.split_once('-')?;
        let read = |digits: &str| number(digits.as_bytes()).flatten();
        let [first, last] = [read(first)?, read(last)?];
        let complete = match complete {
            "*" => None,
            digits => Some(read(digits)?),
        };
        let is_valid = unit.eq_ignore_ascii_case("bytes")
            && first <= last
            && complete.is_none_or(|complete| last < complete);
        let bytes = first..last.checked_add(1).filter(|_| is_valid)?;
        Some(Self { bytes, complete })
    }

    /// What is asked for, if all of it is in this part: "a cache MUST NOT use an incomplete response to answer
    /// requests unless the response has been made complete, or the request is partial and specifies a range
    /// wholly within the incomplete response" (RFC 9111 §3.3).
    pub(crate) fn requested(&self, spec: Spec) -> Option<Range<usize>> {
        let range = match (spec, self.complete) {
            (Spec::Between(first, last), None) => first..last.checked_add(1)?,
            (_, Some(complete)) => spec.within(complete)?,
            (_, None) => return None,
        };
        let is_within = self.bytes.start <= range.start && range.end <= self.bytes.end;
        is_within.then_some(range)
    }

    /// What this part and another one of the same whole make, if nothing is missing between them.
    pub(crate) fn joined(&self, other: &Self) -> Option<Self> {
        let touches = self.bytes.start <= other.bytes.end && other.bytes.start <= self.bytes.end;
        let complete = self.complete.or(other.complete);
        let agrees = other.complete.is_none_or(|length| Some(length) == complete);
        let start = self.bytes.start.min(other.bytes.start);
        let bytes = start..self.bytes.end.max(other.bytes.end);
        let fits = complete.is_none_or(|length| bytes.end <= length);
        (touches && agrees && fits).then_some(Self { bytes, complete })
    }

    /// Nothing is missing.
    pub(crate) fn is_whole(&self) -> bool {
        self.bytes.start == 0 && self.complete == Some(self.bytes.end)
    }

    /// As `Content-Range` says it.
    pub(crate) fn field(&self) -> HeaderValue {
        let Range { start, end } = self.bytes;
        let last = end - 1;
        let said = match self.complete {
            Some(complete) => format!("bytes {start}-{last}/{complete}"),
            None => format!("bytes {start}-{last}/*"),
        };
        HeaderValue::from_str(&said).expect("a content range is visible ASCII")
    }
}

/// Parts may be joined "if they all share the same strong validator" (RFC 9111 §3.4).
pub(crate) fn share_strong_validator(one: &HeaderMap, other: &HeaderMap) -> bool {
    let tag = one.get(ETAG);
    tag.is_some_and(|tag| tag.as_bytes().starts_with(b"\"")) && tag == other.get(ETAG)
}

/// The same bytes in another coding are other bytes, also where an origin that does not know better gives them the
/// same tag.
pub(crate) fn share_coding(one: &HeaderMap, other: &HeaderMap) -> bool {
    let codings = |fields: &HeaderMap| -> Vec<_> {
        let lines = fields.get_all(CONTENT_ENCODING).iter();
        lines.cloned().collect()
    };
    codings(one) == codings(other)
}

/// Takes away what is said of the content of one message (RFC 9530 §2), and not of the whole.
pub(crate) fn forget_digests(fields: &mut HeaderMap) {
    for name in ["content-digest", "content-md5"] {
        fields.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(said: &str) -> Option<Place> {
        let value = said.parse().ok()?;
        Place::of(&HeaderMap::from_iter([(CONTENT_RANGE, value)]))
    }

    fn valid(said: &str) -> Place {
        place(said).expect("a valid place")
    }

    #[test]
    fn a_place_reads_as_it_is_written() {
        for said in ["bytes 0-4/10", "bytes 9-9/10", "bytes 3-4/*"] {
            assert_eq!(valid(said).field(), said);
        }
        for invalid in [
            "bytes 4-3/10",
            "bytes 0-10/10",
            "bytes */10",
            "bytes 0-4",
            "bytes -4/10",
            "bytes 0-/10",
            "bytes 0-+4/10",
            "lines 0-4/10",
            "bytes 0-99999999999999999999999/*",
            "",
        ] {
            assert_eq!(place(invalid), None, "{invalid}");
        }
    }

    #[test]
    fn only_what_is_wholly_within_is_answered() {
        let last = valid("bytes 4-9/10");
        assert_eq!(last.requested(Spec::Between(6, 8)), Some(6..9));
        assert_eq!(last.requested(Spec::Between(6, 99)), Some(6..10));
        assert_eq!(last.requested(Spec::From(4)), Some(4..10));
        assert_eq!(last.requested(Spec::Last(6)), Some(4..10));
        for beyond in [
            Spec::Between(3, 5),
            Spec::From(3),
            Spec::Last(7),
            Spec::From(10),
        ] {
            assert_eq!(last.requested(beyond), None, "{beyond:?}");
        }
        let of_unknown = valid("bytes 4-9/*");
        assert_eq!(of_unknown.requested(Spec::Between(4, 9)), Some(4..10));
        assert_eq!(of_unknown.requested(Spec::Between(4, 10)), None);
        assert_eq!(of_unknown.requested(Spec::From(4)), None);
        assert_eq!(of_unknown.requested(Spec::Last(1)), None);
    }

    #[test]
    fn parts_that_touch_are_joined() {
        let joined = |one: &str, other: &str| valid(one).joined(&valid(other));
        assert!(joined("bytes 0-4/10", "bytes 5-9/10").is_some_and(|all| all.is_whole()));
        assert!(joined("bytes 5-9/*", "bytes 0-6/10").is_some_and(|all| all.is_whole()));
        let some = joined("bytes 2-3/10", "bytes 4-5/*");
        assert_eq!(some, place("bytes 2-5/10"));
        assert_eq!(joined("bytes 0-3/10", "bytes 5-9/10"), None);
        assert_eq!(joined("bytes 0-4/10", "bytes 5-9/11"), None);
        assert_eq!(joined("bytes 0-4/10", "bytes 5-12/*"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(said in "[ -~]{0,40}", first in any::<u64>(), last in any::<u64>()) {
            let _place_or_not = place(&said);
            if let Some(place) = place(&format!("bytes {first}-{last}/*")) {
                let _requested = place.requested(Spec::Last(usize::MAX));
                let _requested = place.requested(Spec::Between(0, usize::MAX));
            }
        }
    }
}
