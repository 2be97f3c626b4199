//! The way to look in from outside.

use std::sync::Arc;

#[cfg(feature = "metrics")]
use crate::export::facade;
#[cfg(feature = "opentelemetry")]
use crate::export::meter;
use crate::{cluster::Cluster, export::prometheus, monitor::Monitor, snapshot::Snapshot};

/// Reads what a [`HitRateLayer`](crate::HitRateLayer) has counted. Clones read the same.
///
/// Reading holds no request up for longer than a copy of a class's counts, and waits for none for longer than
/// it takes to work off 512 keys.
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

    /// Sets the same in the current recorder of the `metrics` facade, under the same names and labels. To be
    /// called before each export, or every few seconds: what was counted in between is not lost, as counters
    /// are set to all since the start.
    ///
    /// The facade's counters are whole numbers, so all that is seconds is a gauge, which only rises; and its
    /// histograms want each value by itself, so a histogram's buckets (`_bucket`, with the label `le`) and its
    /// `_count` are counters. Prometheus reads the same series off either way, and only their types differ:
    /// `histogram_quantile` asks for none.
    ///
    /// One layer for each recorder, and one task that calls this: two would set the same series.
    #[cfg(feature = "metrics")]
    pub fn record_metrics(&self) {
        facade::record(&self.monitor);
    }

    /// Lets instruments of this meter observe the same whenever they are collected. To be called once.
    ///
    /// Names are OpenTelemetry's: `tower_keep.requests`, with a unit, for `tower_keep_requests_total`. As it
    /// has no histogram that is observed, a histogram is three counters: `tower_keep.request_duration.bucket`
    /// (with the attribute `le`), `.sum` and `.count`. Counters that are still zero are left out.
    ///
    /// A class has up to 76 buckets, and a stream of the SDK 2000 attribute sets, unless a view sets its
    /// cardinality limit: with more than 26 classes, set that of `tower_keep.request_duration.bucket`.
    ///
    /// The instruments do not keep what they read: they fall silent when the layer, its services and its
    /// handles are gone. A meter never lets its instruments go.
    #[cfg(feature = "opentelemetry")]
    pub fn observe_with(&self, meter: &opentelemetry::metrics::Meter) {
        meter::observe(&self.monitor, meter);
    }

    #[cfg(feature = "page")]
    pub(crate) fn rules(&self) -> &crate::rules::Rules {
        &self.monitor.rules
    }
}
