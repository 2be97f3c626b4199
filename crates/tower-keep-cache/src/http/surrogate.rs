//! `Surrogate-Control`, the older targeted field with a syntax of its own (W3C Note "Edge Architecture
//! Specification", 2001).

use http::{HeaderMap, HeaderName, HeaderValue};

use super::control::{Control, split_item};

/// Reads a list of directives, each of which may be meant for one surrogate only: `max-age=60;name`. Those that
/// are not for us, or not known, say nothing; if none is left, the field does not.
pub(super) fn read(value: &[u8]) -> Option<Control> {
    let mut control = Control::targeted();
    let mut says_anything = false;
    let mut rest = value;
    while !rest.is_empty() {
        let (item, after) = split_item(rest)?;
        says_anything |= is_for_us(item) && read_directive(&mut control, item);
        rest = after;
    }
    says_anything.then_some(control)
}

/// Adds ourselves to the surrogates that the request has passed: "surrogates MUST append a Surrogate-Capability
/// request header that identifies them".
pub(super) fn announce(request: &mut HeaderMap) {
    request.append(SURROGATE_CAPABILITY, HeaderValue::from_static(CAPABILITY));
}

pub(super) const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");

const SURROGATE_CAPABILITY: HeaderName = HeaderName::from_static("surrogate-capability");

const CAPABILITY: &str = "tower-keep=\"Surrogate/1.0\"";

/// Under which origins address us.
const NAME: &[u8] = b"tower-keep";

fn is_for_us(item: &[u8]) -> bool {
    let mut targets = item.split(|byte| *byte == b';').skip(1).peekable();
    targets.peek().is_none() || targets.any(|target| target.trim_ascii() == NAME)
}

/// True if it is one that concerns us.
fn read_directive(control: &mut Control, item: &[u8]) -> bool {
    let directive = item.split(|byte| *byte == b';').next().unwrap_or(item);
    let directive = directive.trim_ascii();
    if directive.eq_ignore_ascii_case(b"no-store") {
        control.no_store = true;
        return true;
    }
    let Some(at) = directive.iter().position(|byte| *byte == b'=') else {
        return false;
    };
    let (name, argument) = (&directive[..at], &directive[at + 1..]);
    if !name.eq_ignore_ascii_case(b"max-age") || argument.starts_with(b" ") {
        return false;
    }
    // "Optionally, a "+" and a freshness extension can be appended, that specifies an additional period of time
    // (in seconds) the stale entity may be served, before it MUST be revalidated or refetched."
    let mut spans = argument.splitn(2, |byte| *byte == b'+');
    control.read(b"max-age", spans.next());
    if let Some(extension) = spans.next() {
        control.read(b"stale-while-revalidate", Some(extension));
    }
    true
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn max_age(value: &str) -> Option<u64> {
        Some(read(value.as_bytes())?.max_age?.as_secs())
    }

    #[test]
    fn directives_are_for_all_surrogates_or_for_those_they_name() {
        assert_eq!(max_age("max-age=60"), Some(60));
        assert_eq!(max_age("foobar, MaX-aGe=60"), Some(60));
        assert_eq!(max_age("max-age=60;tower-keep"), Some(60));
        assert_eq!(
            max_age("max-age=60;other, max-age=70; tower-keep"),
            Some(70)
        );
        assert_eq!(max_age("max-age=60;other"), None);
        assert!(read(b"no-store").is_some_and(|control| control.no_store));
        assert!(read(b"no-store;other, content=\"ESI/1.0, x\"").is_none());
    }

    #[test]
    fn what_cannot_be_read_says_nothing_or_that_it_is_stale() {
        for nothing in [
            "",
            "max-age =60",
            "max-age= 60",
            "max-age",
            "x=\"open, max-age=60",
        ] {
            assert!(read(nothing.as_bytes()).is_none(), "{nothing}");
        }
        assert_eq!(max_age("max-age=x"), Some(0));
        assert_eq!(max_age("max-age=99999999999"), Some(1 << 31));
    }

    #[test]
    fn an_extension_is_time_to_be_served_stale() {
        let said = read(b"max-age=60+30").expect("directives");
        assert_eq!(said.max_age, Some(Duration::from_secs(60)));
        assert_eq!(said.stale_while_revalidate, Some(Duration::from_secs(30)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(value in prop::collection::vec(any::<u8>(), 0..80)) {
            let _control_or_not = read(&value);
        }
    }
}
