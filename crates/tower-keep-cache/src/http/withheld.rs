//! Fields that a response names in `no-cache="…"`: the rest of it may be used.

use http::{
    HeaderMap, HeaderName,
    header::{
        AGE, CACHE_CONTROL, CONNECTION, DATE, ETAG, EXPIRES, LAST_MODIFIED, LOCATION, TRAILER, VARY,
    },
};

use super::control::directives;

/// What says `no-cache` of some fields may be used without them, or once it is validated (RFC 9111 §5.2.2.4): so it is
/// stored without them.
pub(crate) fn withheld(response: &HeaderMap) -> Vec<HeaderName> {
    response
        .get_all(CACHE_CONTROL)
        .iter()
        .flat_map(|line| directives(line.as_bytes()))
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"no-cache"))
        .filter_map(|(_, argument)| names(argument?))
        .flatten()
        .collect()
}

/// The fields in a quoted list, if a response is whole without each of them. Otherwise the directive is taken as if it
/// had none.
pub(super) fn names(argument: &[u8]) -> Option<Vec<HeaderName>> {
    let list = argument.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    list.split(|byte| *byte == b',')
        .map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .map(|name| name.filter(|name| !is_needed(name)))
        .collect()
}

fn is_needed(name: &HeaderName) -> bool {
    NEEDED.contains(name) || name.as_str().starts_with("content-")
}

static NEEDED: [HeaderName; 10] = [
    AGE,
    CACHE_CONTROL,
    CONNECTION,
    DATE,
    ETAG,
    EXPIRES,
    LAST_MODIFIED,
    LOCATION,
    TRAILER,
    VARY,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(control: &'static str) -> Vec<String> {
        let line = (CACHE_CONTROL, control.parse().expect("a field value"));
        let names = withheld(&HeaderMap::from_iter([line]));
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn fields_are_named_in_quoted_lists() {
        assert_eq!(
            of("no-cache=\"a, B\", max-age=60, No-Cache=\"c\""),
            ["a", "b", "c"]
        );
        for nothing in [
            "no-cache",
            "no-cache=a",
            "no-cache=\"\"",
            "no-cache=\"a b\"",
            "no-cache=\"a, vary\"",
            "no-cache=\"content-type\"",
            "private=\"a\"",
            "x=\"no-cache=\\\"a\\\"\"",
            "no-cache=\"a",
        ] {
            assert!(of(nothing).is_empty(), "{nothing}");
        }
    }
}
