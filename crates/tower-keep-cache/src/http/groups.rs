//! `Cache-Groups` and `Cache-Group-Invalidation` (RFC 9875).

use std::{borrow::Cow, fmt};

use http::{HeaderMap, HeaderName};
use sfv::{
    BareItemFromInput, Parser,
    visitor::{
        EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ListVisitor, Never, ParameterVisitor,
    },
};
use tower_keep_store::Target;

use crate::dependency::group_target;

/// A response's field that is no List of Strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The groups that a field of a response of this host names; none if it is not there.
pub(crate) fn groups(
    headers: &HeaderMap,
    field: &HeaderName,
    authority: &[u8],
) -> Result<Vec<Target>, Malformed> {
    let mut groups = Groups {
        authority,
        targets: Vec::new(),
    };
    let Some(value) = joined(headers, field) else {
        return Ok(Vec::new());
    };
    let parsed = Parser::new(&*value).parse_list_with_visitor(&mut groups);
    parsed.map(|()| groups.targets).map_err(|_| Malformed)
}

/// Several lines are one list (RFC 9651 §4.2).
fn joined<'a>(headers: &'a HeaderMap, field: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut lines = headers.get_all(field).iter();
    let first = lines.next()?.as_bytes();
    let mut value = Cow::Borrowed(first);
    for line in lines {
        let value = value.to_mut();
        value.extend_from_slice(b", ");
        value.extend_from_slice(line.as_bytes());
    }
    Some(value)
}

struct Groups<'a> {
    authority: &'a [u8],
    targets: Vec<Target>,
}

impl<'de> ListVisitor<'de> for Groups<'_> {
    type Error = NotAString;

    fn entry(&mut self) -> Result<impl EntryVisitor<'de>, NotAString> {
        Ok(Member(self))
    }
}

struct Member<'a, 'b>(&'a mut Groups<'b>);

impl<'de> ItemVisitor<'de> for Member<'_, '_> {
    type Error = NotAString;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de>, NotAString> {
        let BareItemFromInput::String(name) = item else {
            return Err(NotAString);
        };
        let target = group_target(self.0.authority, name.as_str().as_bytes());
        self.0.targets.push(target);
        // No parameter is defined, and unknown ones are ignored.
        Ok(Ignored)
    }
}

impl<'de> EntryVisitor<'de> for Member<'_, '_> {
    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, NotAString> {
        Err::<Never, _>(NotAString)
    }
}

#[derive(Debug)]
struct NotAString;

impl fmt::Display for NotAString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member of the list is not a string")
    }
}

impl std::error::Error for NotAString {}

pub(crate) static CACHE_GROUPS: HeaderName = HeaderName::from_static("cache-groups");
pub(crate) static CACHE_GROUP_INVALIDATION: HeaderName =
    HeaderName::from_static("cache-group-invalidation");

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Result<Vec<Target>, Malformed> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(&CACHE_GROUPS, line.parse().expect("a value"));
        }
        groups(&headers, &CACHE_GROUPS, b"host")
    }

    fn group(name: &str) -> Target {
        group_target(b"host", name.as_bytes())
    }

    #[test]
    fn groups_are_strings_of_a_list_over_all_lines() {
        assert_eq!(parse(&[]), Ok(vec![]));
        assert_eq!(parse(&[""]), Ok(vec![]));
        let both = Ok(vec![group("a, {b}"), group("A")]);
        assert_eq!(parse(&[r#""a, {b}", "A""#]), both);
        assert_eq!(parse(&[r#""a, {b}";q=1"#, r#""A""#]), both);
        assert_ne!(group("a"), group("A"), "compared with case");
    }

    #[test]
    fn what_is_no_list_of_strings_is_malformed() {
        for line in [
            "a",
            "1",
            r#"("a" "b")"#,
            r#""a" "b""#,
            r#""a"#,
            r#""a","#,
            "\"\u{e9}\"",
        ] {
            assert_eq!(parse(&[line]), Err(Malformed), "{line}");
        }
    }

    #[test]
    fn many_and_long_ones_are_supported() {
        let names: Vec<_> = (0..40).map(|i| format!("{i:032}")).collect();
        let line = names.iter().map(|name| format!("\"{name}\""));
        let line = line.collect::<Vec<_>>().join(", ");
        let expected = names.iter().map(|name| group(name)).collect();
        assert_eq!(parse(&[&line]), Ok(expected));
        let long = "x".repeat(4096);
        assert_eq!(parse(&[&format!("\"{long}\"")]), Ok(vec![group(&long)]));
    }
}
