//! How queries are part of keys.

use serde::Deserialize;
use tower_keep::QueryRules;

/// Which parameters of a query tell one resource from another.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueryConfig {
    /// Only these. The origin must not look at any other.
    pub only: Option<Vec<String>>,
    /// Not these; `utm_*` means all that begin so.
    pub ignore: Vec<String>,
    /// Not those by which advertisers follow visitors.
    pub ignore_tracking: bool,
    /// In any order.
    pub sort: bool,
}

impl QueryConfig {
    pub(crate) fn rules(&self) -> QueryRules {
        let rules = match &self.only {
            Some(names) => QueryRules::only(names.iter().map(String::as_str)),
            None => QueryRules::all(),
        };
        let rules = rules.ignore(self.ignore.iter().map(String::as_str));
        let rules = if self.ignore_tracking {
            rules.ignore_tracking()
        } else {
            rules
        };
        if self.sort { rules.sort() } else { rules }
    }
}
