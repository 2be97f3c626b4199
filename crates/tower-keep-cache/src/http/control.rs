//! `Cache-Control` (RFC 9111 §5.2).

use std::time::Duration;

use http::{HeaderMap, header::CACHE_CONTROL};

use super::withheld::names;

/// The directives that concern a shared cache. What restricts is believed in any form; what permits
/// only in the right one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    /// `no-cache` with [names](super::withheld) of fields without which the response is whole.
    pub(crate) names_no_cache: bool,
    /// With or without field names: who names some often means the page.
    pub(crate) private: bool,
    pub(crate) public: bool,
    /// `must-revalidate` or `proxy-revalidate`.
    pub(crate) must_revalidate: bool,
    /// `must-revalidate` in the right form, which permits too (RFC 9111 §3.5); `proxy-revalidate` does not.
    pub(crate) shares_authorized: bool,
    pub(crate) must_understand: bool,
    pub(crate) only_if_cached: bool,
    /// It speaks to this cache in particular: `Expires` does not count beside it (RFC 9213 §2.2).
    pub(crate) is_targeted: bool,
    pub(crate) max_age: Option<Duration>,
    pub(crate) s_maxage: Option<Duration>,
    /// Of requests, as [`max_stale`](Self::max_stale) is.
    pub(crate) min_fresh: Option<Duration>,
    pub(crate) max_stale: Option<Duration>,
    pub(crate) stale_while_revalidate: Option<Duration>,
    pub(crate) stale_if_error: Option<Duration>,
}

impl Control {
    /// Reads all `Cache-Control` lines of a message as one list.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        let mut is_readable = true;
        for line in headers.get_all(CACHE_CONTROL) {
            is_readable &= control.read_line(line.as_bytes());
        }
        if !is_readable {
            // It may have been meant to restrict, and nothing outweighs that.
            control.no_store = true;
            control.must_understand = false;
        }
        control
    }

    /// What a targeted field says, before its directives are read.
    pub(super) fn targeted() -> Self {
        Self {
            is_targeted: true,
            ..Self::default()
        }
    }

    /// Takes what is said of some fields for said of the response: the qualified form is "often handled by caches as
    /// if an unqualified no-cache directive was received" (RFC 9111 §5.2.2.4).
    pub(crate) fn unqualified(self) -> Self {
        Self {
            no_cache: self.no_cache || self.names_no_cache,
            ..self
        }
    }

    /// "A cache MUST NOT generate a stale response if it is prohibited by an explicit in-protocol directive (e.g.,
    /// by a no-cache response directive, a must-revalidate response directive, or an applicable s-maxage or
    /// proxy-revalidate response directive)" (RFC 9111 §4.2.4).
    pub(crate) fn forbids_stale(&self) -> bool {
        self.no_cache || self.must_revalidate || self.s_maxage.is_some()
    }

    /// False if there is anything in it that cannot be read.
    fn read_line(&mut self, line: &[u8]) -> bool {
        let (mut rest, mut is_readable) = (line, true);
        while !rest.is_empty() {
            let Some((item, after)) = split_item(rest) else {
                // A quote that never ends may hide anything behind it.
                return false;
            };
            is_readable &= self.read_directive(item);
            rest = after;
        }
        is_readable
    }

    fn read_directive(&mut self, item: &[u8]) -> bool {
        let (name, argument) = split_argument(item);
        let is_readable = name.iter().all(|byte| is_token(*byte));
        if is_readable {
            self.read(name, argument);
        }
        is_readable
    }

    /// Takes one directive in.
    pub(super) fn read(&mut self, name: &[u8], argument: Option<&[u8]>) {
        let is = |directive: &str| name.eq_ignore_ascii_case(directive.as_bytes());
        if is("no-store") {
            self.no_store = true;
        } else if is("no-cache") {
            match argument.and_then(names) {
                Some(_) => self.names_no_cache = true,
                None => self.no_cache = true,
            }
        } else if is("private") {
            self.private = true;
        } else if is("must-revalidate") || is("proxy-revalidate") {
            self.must_revalidate = true;
            self.shares_authorized |= is("must-revalidate") && argument.is_none();
        } else if is("must-understand") {
            self.must_understand = true;
        } else if is("public") {
            self.public = argument.is_none();
        } else if is("only-if-cached") {
            self.only_if_cached = true;
        } else if is("max-age") {
            set_seconds(&mut self.max_age, argument);
        } else if is("s-maxage") {
            set_seconds(&mut self.s_maxage, argument);
        } else if is("min-fresh") {
            set_seconds(&mut self.min_fresh, argument);
        } else if is("max-stale") {
            // "If no value is assigned to max-stale, then the client will accept a stale response of any age"
            // (RFC 9111 §5.2.1.2).
            set_seconds(&mut self.max_stale, argument.or(Some(GREATEST)));
        } else if is("stale-while-revalidate") {
            set_seconds(&mut self.stale_while_revalidate, argument);
        } else if is("stale-if-error") {
            set_seconds(&mut self.stale_if_error, argument);
        }
    }
}

/// The directives of one line, up to a quote that does not end.
pub(super) fn directives(line: &[u8]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let (item, after) = Some(rest)
            .filter(|rest| !rest.is_empty())
            .and_then(split_item)?;
        rest = after;
        Some(split_argument(item))
    })
}

fn split_argument(item: &[u8]) -> (&[u8], Option<&[u8]>) {
    match item.iter().position(|byte| *byte == b'=') {
        Some(at) => (item[..at].trim_ascii(), Some(item[at + 1..].trim_ascii())),
        None => (item.trim_ascii(), None),
    }
}

/// A character of a token (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The item before the first comma outside quotes, and what follows; nothing if a quote stays open.
pub(super) fn split_item(list: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut quoted = false;
    let mut bytes = list.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => {
                bytes.next();
            }
            b',' if !quoted => return Some((&list[..at], &list[at + 1..])),
            _ => {}
        }
    }
    (!quoted).then_some((list, &[]))
}

/// "Caches are encouraged to consider responses that have invalid freshness information … to be
/// stale" (RFC 9111 §4.2.1), and one that says two different things is such a response.
fn set_seconds(slot: &mut Option<Duration>, argument: Option<&[u8]>) {
    let seconds = argument.and_then(delta_seconds).unwrap_or(Duration::ZERO);
    *slot = match *slot {
        Some(earlier) if earlier != seconds => Some(Duration::ZERO),
        _ => Some(seconds),
    };
}

const GREATEST: &[u8] = b"2147483648";

/// Digits, quoted or not; what is greater than 2³¹ counts as 2³¹ (RFC 9111 §1.2.2).
fn delta_seconds(argument: &[u8]) -> Option<Duration> {
    let digits = argument
        .strip_prefix(b"\"")
        .and_then(|inner| inner.strip_suffix(b"\""))
        .unwrap_or(argument);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = digits.iter().fold(0_u64, |sum, digit| {
        (sum * 10 + u64::from(digit - b'0')).min(1 << 31)
    });
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn control(lines: &[&[u8]]) -> Control {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                CACHE_CONTROL,
                HeaderValue::from_bytes(line).expect("a field value"),
            );
        }
        Control::of(&headers)
    }

    fn max_age(line: &str) -> Option<u64> {
        control(&[line.as_bytes()]).max_age.map(|age| age.as_secs())
    }

    #[test]
    fn what_cannot_be_read_is_not_outweighed_by_must_understand() {
        for line in ["must-understand, no store", "must-understand, x=\"open"] {
            let said = control(&[line.as_bytes()]);
            assert!(said.no_store && !said.must_understand, "{line}");
        }
        let said = control(&[b"x=\"open", b"must-understand"]);
        assert!(said.no_store && !said.must_understand);
    }

    #[test]
    fn names_have_no_case_and_white_space_does_not_matter() {
        let said = control(&[b" Private ,NO-STORE", b"Must-Revalidate,,  S-MaxAge = 7 "]);
        assert!(said.private && said.no_store && said.must_revalidate);
        assert_eq!(said.s_maxage, Some(Duration::from_secs(7)));
    }

    #[test]
    fn what_restricts_is_believed_in_any_form() {
        assert!(control(&[b"private=\"set-cookie\""]).private);
        assert!(control(&[b"no-cache=\"a, b\""]).unqualified().no_cache);
        assert!(!control(&[b"no-cache=\"a, b\""]).no_cache);
        assert!(control(&[b"no-cache=\"a, b\", no-cache"]).no_cache);
        for all in [
            "no-cache=",
            "no-cache=a",
            "no-cache=\"\"",
            "no-cache=\"vary\"",
            "no-cache=\"a b\"",
        ] {
            assert!(control(&[all.as_bytes()]).no_cache, "{all}");
        }
        assert!(control(&[b"no-store=yes"]).no_store);
        assert!(control(&[b"max-age=60, ext=\"open"]).no_store);
        assert!(!control(&[b"public=1"]).public);
        for malformed in [
            "no-store; max-age=0",
            "private;max-age=60",
            "\"no-store\"",
            "no-store private",
        ] {
            assert!(control(&[malformed.as_bytes()]).no_store, "{malformed}");
        }
    }

    #[test]
    fn what_stands_in_quotes_is_no_directive() {
        let said = control(&[b"ext=\"no-store, private, \\\" max-age=9\", max-age=5"]);
        assert!(!said.no_store && !said.private);
        assert_eq!(said.max_age, Some(Duration::from_secs(5)));
    }

    #[test]
    fn seconds_are_read_as_the_rfc_says() {
        assert_eq!(max_age("max-age=60"), Some(60));
        assert_eq!(max_age("max-age=\"60\""), Some(60));
        assert_eq!(max_age("max-age=99999999999999999999"), Some(1 << 31));
        for stale in [
            "max-age=-1",
            "max-age=1.5",
            "max-age",
            "max-age=",
            "max-age=60, max-age=70",
        ] {
            assert_eq!(max_age(stale), Some(0), "{stale}");
        }
        assert_eq!(max_age("max-age=60, max-age=60"), Some(60));
        assert_eq!(max_age("x-max-age=60"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_no_store_is_always_heard(
            before in "[ -~&&[^\",\\\\]]{0,20}",
            after in prop::collection::vec(32_u8..255, 0..30),
        ) {
            let mut line = before.into_bytes();
            line.extend_from_slice(b",no-store,");
            line.extend(after.into_iter().filter(|byte| *byte != 127));
            prop_assert!(control(&[&line]).no_store);
        }
    }
}
