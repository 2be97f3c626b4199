//! The way to look in from outside.

use std::sync::Arc;

use crate::{monitor::Monitor, prometheus, snapshot::Snapshot};

/// Reads what a [`HitRateLayer`](crate::HitRateLayer) has counted. Clones read the same.
///
/// Reading waits for nobody, and holds no request up for longer than a copy of a class's counts.
#[derive(Clone, Debug)]
pub struct HitRateHandle {
    monitor: Arc<Monitor>,
}

impl HitRateHandle {
    pub(crate) fn new(monitor: Arc<Monitor>) -> Self {
        Self { monitor }
    }

    /// All that is known at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::take(&self.monitor)
    }

    /// The page that shows it, as a service to mount: see [`Page`](crate::Page).
    #[cfg(feature = "page")]
    #[must_use]
    pub fn page(&self) -> crate::Page {
        crate::Page::new(self.clone())
    }

    /// The same for Prometheus, in its text format (0.0.4). Counters and histograms only: rates are for the
    /// reader to make, over the time and the processes that he chooses.
    #[must_use]
    pub fn prometheus(&self) -> String {
        prometheus::text(&self.monitor)
    }

    #[cfg(feature = "page")]
    pub(crate) fn rules(&self) -> &crate::rules::Rules {
        &self.monitor.rules
    }
}
