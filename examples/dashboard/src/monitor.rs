//! How the cache is judged: all in one place.

use std::time::Duration;

use tower_keep::{HitRateHandle, HitRateLayer, Store};

use crate::error::StartError;

/// How the cache is judged.
#[derive(Clone, Copy, Debug)]
pub struct Monitoring {
    /// How long after its first request an endpoint is not judged: a cache that is still empty misses.
    pub warm_up: Duration,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self {
            warm_up: Duration::from_secs(60),
        }
    }
}

/// Builds the layer that counts, and the way to read it. Paths are shown, since here they are nobody's secret.
pub(crate) fn build(
    store: &Store,
    monitoring: Monitoring,
) -> Result<(HitRateLayer, HitRateHandle), StartError> {
    HitRateLayer::builder(store.clone())
        .warm_up(monitoring.warm_up)
        .allow_key_names()
        .build()
        .map_err(|error| StartError::because("the monitor cannot be set up", error))
}
