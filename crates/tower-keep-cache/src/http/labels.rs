//! What a response says that it depends on, in its fields.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use tower_keep_store::{ConfigError, Target};

use super::{
    groups::{CACHE_GROUPS, groups},
    refusal::Refusal,
};
use crate::directive::MOST_TAGS;

/// A response field whose members are tags, as other caches have them.
///
/// ```
/// use tower_keep_cache::TagField;
///
/// let fields = [TagField::surrogate_key(), TagField::cache_tag()];
/// let own = TagField::separated_by_commas(http::HeaderName::from_static("x-depends-on"));
/// # let _ = (fields, own);
/// ```
///
/// A member is the [`Tag`](crate::Tag) with its name: `Surrogate-Key: jobs candidate-42` carries
/// `Tag::new("jobs")` and `Tag::new("candidate-42")`. Names are compared with case; empty ones are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagField {
    name: HeaderName,
    separator: Separator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Separator {
    Spaces,
    Commas,
}

impl TagField {
    /// `Surrogate-Key`, separated by spaces.
    #[must_use]
    pub fn surrogate_key() -> Self {
        Self::separated_by_spaces(HeaderName::from_static("surrogate-key"))
    }

    /// `Cache-Tag`, separated by commas.
    #[must_use]
    pub fn cache_tag() -> Self {
        Self::separated_by_commas(HeaderName::from_static("cache-tag"))
    }

    /// Another field, whose members are separated by spaces.
    #[must_use]
    pub const fn separated_by_spaces(name: HeaderName) -> Self {
        Self {
            name,
            separator: Separator::Spaces,
        }
    }

    /// Another field, whose members are separated by commas, with or without space around.
    #[must_use]
    pub const fn separated_by_commas(name: HeaderName) -> Self {
        Self {
            name,
            separator: Separator::Commas,
        }
    }

    fn tags<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = Target> + 'a {
        let is_end = |byte: &u8| match self.separator {
            Separator::Spaces => byte.is_ascii_whitespace(),
            Separator::Commas => *byte == b',',
        };
        let lines = headers.get_all(&self.name).iter();
        lines
            .flat_map(move |line| line.as_bytes().split(is_end))
            .map(<[u8]>::trim_ascii)
            .filter(|name| !name.is_empty())
            .map(|name| Target::new("tag", name))
    }
}

/// Where responses name what they depend on.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelRules {
    fields: Vec<TagField>,
    hides: bool,
}

/// Fields that clients do not get to see; nothing if there are none.
pub(crate) type Hidden = Option<Arc<[HeaderName]>>;

impl LabelRules {
    pub(crate) fn add(&mut self, field: TagField) {
        self.fields.push(field);
    }

    pub(crate) fn hide(&mut self) {
        self.hides = true;
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let fault = |what: String| Err(ConfigError::new(what));
        if self.hides && self.fields.is_empty() {
            return fault("hide_tag_fields: there is no tag_field".to_owned());
        }
        for (at, field) in self.fields.iter().enumerate() {
            if self.fields[..at].iter().any(|it| it.name == field.name) {
                return fault(format!("tag_field: {} is given twice", field.name));
            }
            if field.name == CACHE_GROUPS {
                return fault("tag_field: cache-groups are groups".to_owned());
            }
        }
        Ok(())
    }

    pub(crate) fn hidden(&self) -> Hidden {
        let names = self.fields.iter().map(|field| field.name.clone());
        self.hides.then(|| names.collect())
    }

    /// Adds what a response of this host depends on by its fields to what it depends on anyway. What cannot be
    /// invalidated as its origin meant is not stored: too many, or groups that nobody can read.
    pub(crate) fn add_to(
        &self,
        targets: &mut Vec<Target>,
        headers: &HeaderMap,
        authority: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        if headers.contains_key(&CACHE_GROUPS) {
            let authority = authority.unwrap_or_default();
            let groups = groups(headers, &CACHE_GROUPS, authority);
            targets.extend(groups.map_err(|_| Refusal::Groups)?);
        }
        targets.extend(self.fields.iter().flat_map(|field| field.tags(headers)));
        check_number(targets)
    }
}

/// Of a class, and of as many tags and groups as one entry may carry; each counts once.
pub(crate) fn check_number(targets: &mut Vec<Target>) -> Result<(), Refusal> {
    if targets.len() > MOST_TAGS {
        targets.sort_unstable();
        targets.dedup();
        if targets.len() > MOST_TARGETS {
            return Err(Refusal::TooManyTags);
        }
    }
    Ok(())
}

/// Takes the hidden fields away.
pub(crate) fn hide(hidden: &Hidden, headers: &mut HeaderMap) {
    for name in hidden.iter().flat_map(|names| &**names) {
        headers.remove(name);
    }
}

/// With its class, and, where it comes from an entry, its URI.
const MOST_TARGETS: usize = MOST_TAGS + 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::Tag;

    fn parse(field: TagField, lines: &[&str]) -> Result<Vec<Target>, Refusal> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(field.name.clone(), line.parse().expect("a value"));
        }
        let mut rules = LabelRules::default();
        rules.add(field);
        let mut targets = Vec::new();
        rules.add_to(&mut targets, &headers, Some(b"host"))?;
        Ok(targets)
    }

    fn tags(names: &[&str]) -> Result<Vec<Target>, Refusal> {
        Ok(names.iter().map(|name| Tag::new(name).into()).collect())
    }

    #[test]
    fn spaces_separate_surrogate_keys_and_commas_cache_tags() {
        let keys = |lines: &[&str]| parse(TagField::surrogate_key(), lines);
        assert_eq!(
            keys(&["a  b", " c,d {e} "]),
            tags(&["a", "b", "c,d", "{e}"])
        );
        assert_eq!(keys(&["", "  "]), tags(&[]));
        let cache_tags = |lines: &[&str]| parse(TagField::cache_tag(), lines);
        assert_eq!(
            cache_tags(&["a b,, c , ", "{d}"]),
            tags(&["a b", "c", "{d}"])
        );
        let long = "x".repeat(4096);
        assert_eq!(cache_tags(&[&long]), tags(&[&long]));
    }

    #[test]
    fn as_many_as_an_entry_may_carry_and_each_counts_once() {
        let line = |count: usize| {
            let names: Vec<_> = (0..count).map(|i| format!("t{i}")).collect();
            names.join(" ")
        };
        let parsed = |line: &str| parse(TagField::surrogate_key(), &[line]);
        assert_eq!(parsed(&line(64)).expect("few enough").len(), 64);
        assert_eq!(parsed(&line(1000)), Err(Refusal::TooManyTags));
        let repeated = "t ".repeat(1000);
        assert_eq!(parsed(&repeated), tags(&["t"]));
    }

    #[test]
    fn groups_that_nobody_can_read_are_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(&CACHE_GROUPS, "not a string".parse().expect("a value"));
        let refused = LabelRules::default().add_to(&mut Vec::new(), &headers, None);
        assert_eq!(refused, Err(Refusal::Groups));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let mut rules = LabelRules::default();
        rules.hide();
        assert!(rules.check().is_err());
        rules.add(TagField::cache_tag());
        assert!(rules.check().is_ok());
        rules.add(TagField::cache_tag());
        let said = rules.check().expect_err("twice").to_string();
        assert!(said.contains("cache-tag is given twice"), "{said}");
    }
}
