//! What responses say of the cache.

use serde::Deserialize;
use tower_keep::CacheStatus;

/// Whether responses have the field `Cache-Status` (RFC 9211).
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum StatusConfig {
    /// Not at all.
    Off,
    /// With what the cache did.
    #[default]
    On,
    /// And why a response was not stored.
    Explain,
}

impl StatusConfig {
    pub(crate) fn status(self) -> CacheStatus {
        match self {
            Self::Off => CacheStatus::Off,
            Self::On => CacheStatus::On,
            Self::Explain => CacheStatus::Explain,
        }
    }
}
