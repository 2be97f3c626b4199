//! The field in which the origin names the tags of a response.

use http::HeaderName;
use serde::Deserialize;
use tower_keep::TagField;

use super::Config;
use crate::error::StartError;

/// What stands between two tags.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum TagSeparator {
    /// As in `Surrogate-Key`.
    Spaces,
    /// As in `Cache-Tag`.
    Commas,
}

impl Config {
    /// The field, if there is one.
    pub(crate) fn tags(&self) -> Result<Option<TagField>, StartError> {
        let Some(name) = &self.tag_field else {
            return match self.tag_separator {
                Some(_) => Err(StartError::new("tag_separator: there is no tag_field")),
                None => Ok(None),
            };
        };
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|error| StartError::because("tag_field", error))?;
        let usual = match name.as_str() {
            "surrogate-key" => Some(TagSeparator::Spaces),
            "cache-tag" => Some(TagSeparator::Commas),
            _ => None,
        };
        match self.tag_separator.or(usual) {
            Some(TagSeparator::Spaces) => Ok(Some(TagField::separated_by_spaces(name))),
            Some(TagSeparator::Commas) => Ok(Some(TagField::separated_by_commas(name))),
            // A guess would be tags that nothing invalidates.
            None => Err(StartError::new(format!(
                "tag_field: {name} needs a tag_separator"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> Result<Option<TagField>, String> {
        let config = Config::parse(text).expect("a configuration");
        config.tags().map_err(|error| error.to_string())
    }

    #[test]
    fn the_usual_fields_have_their_separators_and_others_need_one() {
        assert_eq!(tags(""), Ok(None));
        let surrogate_key = Ok(Some(TagField::surrogate_key()));
        assert_eq!(tags("tag_field = 'Surrogate-Key'"), surrogate_key);
        let cache_tag = Ok(Some(TagField::cache_tag()));
        assert_eq!(tags("tag_field = 'cache-tag'"), cache_tag);
        let own = HeaderName::from_static("x-tags");
        assert_eq!(
            tags("tag_field = 'x-tags'\ntag_separator = 'commas'"),
            Ok(Some(TagField::separated_by_commas(own)))
        );
        for nonsense in [
            "tag_field = 'x-tags'",
            "tag_field = 'x tags'",
            "tag_separator = 'commas'",
        ] {
            assert!(tags(nonsense).is_err(), "{nonsense}");
        }
    }
}
