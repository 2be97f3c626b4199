//! The way to look in from outside.

use std::sync::Arc;

use crate::{cluster::Cluster, monitor::Monitor, prometheus, snapshot::Snapshot};

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

    /// What all processes counted that share the store's namespace: this one as it is now, the others as they
    /// last told, which is read again while somebody asks. The first answer in a minute may be an old one, or
    /// know only of this process. Waits for nobody. None where the layer was built
    /// [without](crate::HitRateLayerBuilder::without_cluster).
    #[must_use]
    pub fn cluster(&self) -> Option<Cluster> {
        Cluster::read(&self.monitor)
    }

    /// The same for Prometheus, in its text format (0.0.4). Counters and histograms only: rates are for the
    /// reader to make, over the time and the processes that he chooses.
    #[must_use]
    pub fn prometheus(&self) -> String {
        prometheus::text(&self.monitor)
    }
}
