//! Fields that speak to some caches only, in place of `Cache-Control` (RFC 9213).

use std::{convert::Infallible, sync::Arc};

use http::{HeaderMap, HeaderName};
use sfv::{
    BareItemFromInput, KeyRef, Parser,
    visitor::{
        DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ParameterVisitor,
    },
};

use super::{control::Control, surrogate};

/// The target list: the fields that are meant for this cache, the most specific first.
#[derive(Clone, Debug, Default)]
pub(crate) struct TargetFields(Arc<[HeaderName]>);

impl TargetFields {
    pub(crate) fn new(names: impl IntoIterator<Item = HeaderName>) -> Self {
        Self(names.into_iter().collect())
    }

    /// What a response says to this cache: "the cache MUST select the first (in target list order) field with a
    /// valid, non-empty value and use its value to determine the caching policy for the response, and it MUST
    /// ignore the Cache-Control and Expires header fields in that response, unless no valid, non-empty value
    /// is available from the listed header fields" (RFC 9213 §2.2).
    pub(crate) fn control(&self, response: &HeaderMap) -> Control {
        let said = self.0.iter().find_map(|name| said_in(name, response));
        said.unwrap_or_else(|| Control::of(response))
    }

    /// Tells the origin that its `Surrogate-Control` will be heard, and under which name.
    pub(crate) fn announce(&self, request: &mut HeaderMap) {
        if self.0.contains(&surrogate::SURROGATE_CONTROL) {
            surrogate::announce(request);
        }
    }
}

fn said_in(name: &HeaderName, response: &HeaderMap) -> Option<Control> {
    if !response.contains_key(name) {
        return None;
    }
    // "If a field is split into several lines, they're joined before it is parsed" (RFC 9651 §4.2).
    let lines: Vec<_> = response
        .get_all(name)
        .iter()
        .map(http::HeaderValue::as_bytes)
        .collect();
    let value = lines.join(&b", "[..]);
    if *name == surrogate::SURROGATE_CONTROL {
        surrogate::read(&value)
    } else {
        read(&value)
    }
}

/// A dictionary of directives. "If a targeted field in a given response is empty or a parsing error is
/// encountered, that field MUST be ignored by the cache" (RFC 9213 §2.1).
fn read(value: &[u8]) -> Option<Control> {
    let mut directives = Directives::default();
    let parser = Parser::new(value);
    parser.parse_dictionary_with_visitor(&mut directives).ok()?;
    if directives.0.is_empty() {
        return None;
    }
    let mut control = Control::targeted();
    for (name, argument) in &directives.0 {
        match argument {
            Argument::No => {}
            Argument::Yes => control.read(name.as_bytes(), None),
            Argument::Integer(seconds) => {
                control.read(name.as_bytes(), Some(seconds.to_string().as_bytes()));
            }
            // Not what the directive takes: what restricts is believed, and no lifetime is.
            Argument::Other => control.read(name.as_bytes(), Some(b"?")),
        }
    }
    Some(control)
}

/// Members in order, the last of those with the same key.
#[derive(Debug, Default)]
struct Directives<'de>(Vec<(&'de str, Argument)>);

/// What a directive can take as its value; parameters are ignored.
#[derive(Debug)]
enum Argument {
    Yes,
    No,
    Integer(i64),
    Other,
}

impl<'de> DictionaryVisitor<'de> for Directives<'de> {
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        let key = key.as_str();
        self.0.retain(|(earlier, _)| *earlier != key);
        self.0.push((key, Argument::Other));
        let last = self.0.last_mut();
        Ok(last.map(|(_, argument)| Directive(argument)))
    }
}

struct Directive<'a>(&'a mut Argument);

impl<'de> ItemVisitor<'de> for Directive<'_> {
    type Error = Infallible;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de>, Infallible> {
        *self.0 = match item {
            BareItemFromInput::Boolean(true) => Argument::Yes,
            BareItemFromInput::Boolean(false) => Argument::No,
            BareItemFromInput::Integer(number) => Argument::Integer(number.into()),
            _ => Argument::Other,
        };
        Ok(Ignored)
    }
}

impl<'de> EntryVisitor<'de> for Directive<'_> {
    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        Ok(Ignored)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const CDN: HeaderName = HeaderName::from_static("cdn-cache-control");
    const OURS: HeaderName = HeaderName::from_static("keep-cache-control");

    fn control(fields: &[(&'static str, &'static str)]) -> Control {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().expect("a field value"));
        }
        TargetFields::new([OURS, CDN]).control(&headers)
    }

    fn seconds(fields: &[(&'static str, &'static str)]) -> Option<u64> {
        control(fields).max_age.map(|age| age.as_secs())
    }

    #[test]
    fn the_most_specific_field_that_says_something_speaks_alone() {
        let general = ("cache-control", "no-store, max-age=1");
        let for_all_cdns = ("cdn-cache-control", "max-age=2");
        let for_us = ("keep-cache-control", "max-age=3");
        assert_eq!(seconds(&[general, for_all_cdns, for_us]), Some(3));
        let targeted = control(&[general, for_all_cdns]);
        assert_eq!(targeted.max_age, Some(Duration::from_secs(2)));
        assert!(!targeted.no_store && targeted.is_targeted);
        assert!(control(&[general]).no_store);
    }

    #[test]
    fn what_is_empty_or_no_dictionary_is_not_there() {
        let general = ("cache-control", "max-age=1");
        for value in [
            "",
            "max-age=3, ",
            "Max-Age=3",
            "max-age = 3",
            "max-age=3 no-store",
            "\"a",
        ] {
            assert_eq!(
                seconds(&[general, ("cdn-cache-control", value)]),
                Some(1),
                "{value}"
            );
        }
    }

    #[test]
    fn values_are_of_the_type_that_the_directive_takes() {
        let said = |value| control(&[("cdn-cache-control", value)]);
        assert_eq!(
            said("max-age=60;x=1").max_age,
            Some(Duration::from_secs(60))
        );
        assert_eq!(
            said("max-age=60, max-age=70").max_age,
            Some(Duration::from_secs(70))
        );
        for stale in [
            "max-age",
            "max-age=\"60\"",
            "max-age=-1",
            "max-age=1.5",
            "max-age=(60)",
        ] {
            assert_eq!(said(stale).max_age, Some(Duration::ZERO), "{stale}");
        }
        assert!(said("no-store").no_store && said("no-store=1").no_store);
        assert!(!said("no-store=?0").no_store);
        assert!(said("private=\"set-cookie\"").private);
        assert!(!said("public=?0, x=(a b);c").public);
    }

    #[test]
    fn lines_are_one_dictionary() {
        let lines = [
            ("cdn-cache-control", "max-age=60"),
            ("cdn-cache-control", "private"),
        ];
        let said = control(&lines);
        assert!(said.private && said.max_age.is_some());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(value in prop::collection::vec(any::<u8>(), 0..80)) {
            let _control_or_not = read(&value);
        }
    }
}
