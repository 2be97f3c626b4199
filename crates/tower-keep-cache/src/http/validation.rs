//! Conditional requests answered from a stored response (RFC 9110 §13, RFC 9111 §4.3.2).

use http::{
    HeaderMap, HeaderValue,
    header::{DATE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED},
};

use super::freshness::date;

/// Whether the client's copy is the stored one, so that 304 says it all.
///
/// `If-None-Match` is compared weakly and, where present, decides alone (RFC 9110 §13.1.3).
pub(crate) fn is_not_modified(request: &HeaderMap, stored: &HeaderMap) -> bool {
    if request.contains_key(IF_NONE_MATCH) {
        let Some(tag) = stored.get(ETAG) else {
            return names_any(request);
        };
        let opaque = opaque(tag.as_bytes());
        return request
            .get_all(IF_NONE_MATCH)
            .iter()
            .flat_map(|line| tags(line.as_bytes()))
            .any(|candidate| candidate == b"*" || self::opaque(candidate) == opaque);
    }
    // "If … the Last-Modified header field is not present in a stored response, a cache SHOULD use the stored
    // response's Date field value … to evaluate the conditional" (RFC 9111 §4.3.2).
    let by = match stored.contains_key(LAST_MODIFIED) {
        true => LAST_MODIFIED,
        false => DATE,
    };
    let modified = |since| date(stored, &by).is_some_and(|modified| modified <= since);
    date(request, &IF_MODIFIED_SINCE).is_some_and(modified)
}

/// Whether the request asks the origin itself a question: it carries a validator that is not one of
/// [ours](tag_of), which no origin knows.
pub(crate) fn is_conditional_at_origin(request: &HeaderMap) -> bool {
    if !request.contains_key(IF_NONE_MATCH) {
        return request.contains_key(IF_MODIFIED_SINCE);
    }
    !request
        .get_all(IF_NONE_MATCH)
        .iter()
        .flat_map(|line| tags(line.as_bytes()))
        .all(|tag| opaque(tag).starts_with(OURS))
}

/// Whether the origin can be asked if what is stored is still right.
pub(crate) fn has_validator(stored: &HeaderMap) -> bool {
    tag_of_origin(stored).is_some() || stored.contains_key(LAST_MODIFIED)
}

/// Asks the origin whether what is stored is still right, in place of what the client asks of its own copy
/// (RFC 9111 §4.3.1).
pub(crate) fn ask_for_validation(request: &mut HeaderMap, stored: &HeaderMap) {
    for (field, validator) in [
        (IF_NONE_MATCH, tag_of_origin(stored)),
        (IF_MODIFIED_SINCE, stored.get(LAST_MODIFIED)),
    ] {
        match validator {
            Some(validator) => request.insert(field, validator.clone()),
            None => request.remove(field),
        };
    }
}

/// A tag of [ours](tag_of) says nothing to it.
fn tag_of_origin(stored: &HeaderMap) -> Option<&HeaderValue> {
    let tag = stored.get(ETAG)?;
    (!opaque(tag.as_bytes()).starts_with(OURS)).then_some(tag)
}

/// The entity tag for a stored body that came without one.
pub(crate) fn tag_of(digest: &[u8]) -> String {
    use std::fmt::Write;

    let mut tag = String::with_capacity(OURS.len() + 2 * digest.len() + 1);
    tag.push_str("\"keep-");
    for byte in digest {
        let _infallible = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

fn names_any(request: &HeaderMap) -> bool {
    request
        .get_all(IF_NONE_MATCH)
        .iter()
        .any(|line| line.as_bytes().trim_ascii() == b"*")
}

/// The members of a list of entity tags. Commas inside quotes do not separate.
fn tags(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    line.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    })
    .map(<[u8]>::trim_ascii)
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

const OURS: &[u8] = b"\"keep-";

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().expect("a field value"))])
    }

    fn matches(asked: &'static str, stored: &'static str) -> bool {
        is_not_modified(&headers(IF_NONE_MATCH, asked), &headers(ETAG, stored))
    }

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        assert!(matches("\"a\"", "\"a\""));
        assert!(matches("W/\"a\"", "\"a\""));
        assert!(matches("\"a\"", "W/\"a\""));
        assert!(matches("\"x\", W/\"a\" ,\"y\"", "\"a\""));
        assert!(matches("*", "\"a\""));
        assert!(matches("\"a,b\"", "\"a,b\""));
        assert!(!matches("\"a,b\"", "\"b\""));
        assert!(!matches("a", "\"a\""));
        assert!(!matches("\"A\"", "\"a\""));
    }

    #[test]
    fn dates_count_only_where_no_tag_was_sent() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let stored = headers(LAST_MODIFIED, date);
        assert!(is_not_modified(&headers(IF_MODIFIED_SINCE, date), &stored));
        assert!(!is_not_modified(
            &headers(IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:36 GMT"),
            &stored
        ));
        assert!(!is_not_modified(
            &headers(IF_MODIFIED_SINCE, "never"),
            &stored
        ));
        let undated = headers(DATE, date);
        assert!(is_not_modified(&headers(IF_MODIFIED_SINCE, date), &undated));
        let earlier = headers(IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:36 GMT");
        assert!(!is_not_modified(&earlier, &undated));
        let mut unreadable = undated;
        unreadable.extend(headers(LAST_MODIFIED, "never"));
        assert!(!is_not_modified(
            &headers(IF_MODIFIED_SINCE, date),
            &unreadable
        ));
        let mut both = headers(IF_MODIFIED_SINCE, date);
        both.extend(headers(IF_NONE_MATCH, "\"a\""));
        assert!(!is_not_modified(&both, &stored));
    }

    #[test]
    fn the_origin_is_asked_with_its_own_validators_only() {
        let asked = |stored: &HeaderMap| {
            let mut request = headers(IF_NONE_MATCH, "\"client\"");
            request.extend(headers(IF_MODIFIED_SINCE, "yesterday"));
            ask_for_validation(&mut request, stored);
            let said = |name| request.get(name).and_then(|value| value.to_str().ok());
            [IF_NONE_MATCH, IF_MODIFIED_SINCE].map(|name| said(name).map(str::to_owned))
        };
        let tagged = headers(ETAG, "W/\"a\"");
        assert!(has_validator(&tagged));
        assert_eq!(asked(&tagged), [Some("W/\"a\"".to_owned()), None]);
        let mut ours = headers(ETAG, "\"keep-01\"");
        assert!(!has_validator(&ours));
        ours.extend(headers(LAST_MODIFIED, "then"));
        assert!(has_validator(&ours));
        assert_eq!(asked(&ours), [None, Some("then".to_owned())]);
    }

    #[test]
    fn only_tags_of_our_own_leave_the_origin_out_of_it() {
        let ours = tag_of(&[1, 2, 254]);
        assert_eq!(ours, "\"keep-0102fe\"");
        assert!(!is_conditional_at_origin(&headers(
            IF_NONE_MATCH,
            "\"keep-0102fe\""
        )));
        assert!(is_conditional_at_origin(&headers(
            IF_NONE_MATCH,
            "\"keep-01\", \"v7\""
        )));
        assert!(is_conditional_at_origin(&headers(IF_NONE_MATCH, "*")));
        assert!(is_conditional_at_origin(&headers(IF_MODIFIED_SINCE, "x")));
        assert!(!is_conditional_at_origin(&HeaderMap::new()));
    }
}
