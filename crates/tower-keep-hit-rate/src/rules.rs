//! What the layer was told.

use std::time::Duration;

use crate::{label::Labels, server_timing::ServerTiming, ticker::SECOND, verdict::Thresholds};

/// The options of a layer.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) labels: Labels,
    pub(crate) thresholds: Thresholds,
    /// How long a class is not judged after its first request, in nanoseconds.
    pub(crate) warm_up: u64,
    /// Milliseconds per second that make caching worth it.
    pub(crate) worth: f64,
    /// Whether paths may be told.
    pub(crate) named_keys: bool,
    /// Whose answers carry `Server-Timing`.
    pub(crate) server_timing: ServerTiming,
    /// How often the other processes are told; none if they are not.
    pub(crate) cluster_every: Option<Duration>,
}

impl Rules {
    /// Somebody's closure wants to see the whole head of a request, which has to be taken apart for it.
    pub(crate) fn ask_for_head(&self) -> bool {
        self.labels.asks_for_head() || self.server_timing.asks_for_head()
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            labels: Labels::default(),
            thresholds: Thresholds::default(),
            warm_up: 60 * SECOND,
            worth: 1.0,
            named_keys: false,
            server_timing: ServerTiming::default(),
            cluster_every: Some(Duration::from_secs(5)),
        }
    }
}
