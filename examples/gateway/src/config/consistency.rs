//! How much of what was cleared out a hit takes account of.

use serde::Deserialize;
use tower_keep::Consistency;

/// What is done before something kept is used.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ConsistencyConfig {
    /// Nothing: what another gateway on the same store has cleared out is gone here about a millisecond later, and
    /// at the latest after 5 s.
    #[default]
    Eventual,
    /// The store is asked, which costs each hit a round trip: what was cleared out anywhere is gone at once. While
    /// the store does not answer, nothing that is kept is used.
    Strict,
}

impl ConsistencyConfig {
    pub(crate) fn consistency(self) -> Consistency {
        match self {
            Self::Eventual => Consistency::Eventual,
            Self::Strict => Consistency::Strict,
        }
    }
}
