//! What is counted.

use std::fmt;

use serde::Serialize;
use tower_keep_store::LookupKind;

/// What a class counts: labels of different kinds are different classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// Requests.
    #[default]
    Http,
    /// Lookups of an object cache, by its class.
    Objects,
    /// Loads of sessions. They are no cache: their classes have neither a verdict nor a worth.
    Sessions,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Http, Self::Objects, Self::Sessions];

    /// The word for it in snapshots and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Objects => "objects",
            Self::Sessions => "sessions",
        }
    }

    /// What a store calls it; nothing if that is newer than this.
    pub(crate) fn of(kind: LookupKind) -> Option<Self> {
        match kind {
            LookupKind::Objects => Some(Self::Objects),
            LookupKind::Sessions => Some(Self::Sessions),
            _ => None,
        }
    }

    /// Whether what is not found comes from an origin, and more might be found.
    pub(crate) fn is_cache(self) -> bool {
        self != Self::Sessions
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
