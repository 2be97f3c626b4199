//! What the page is told.

use serde::Serialize;

use crate::{
    cluster::Cluster, handle::HitRateHandle, rules::Rules, snapshot::Snapshot, ticker::SECOND,
};

/// A snapshot, and by what it is judged.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    #[serde(flatten)]
    snapshot: Snapshot,
    /// None where the layer keeps to itself.
    cluster: Option<Cluster>,
    rules: ToldRules,
}

#[derive(Debug, Serialize)]
struct ToldRules {
    tune_below: f64,
    excellent_above: f64,
    least_lookups: u64,
    warm_up_seconds: f64,
    worth_from_ms_per_second: f64,
}

impl Told {
    /// As JSON, on one line.
    pub(super) fn json(handle: &HitRateHandle) -> Vec<u8> {
        let told = Self {
            snapshot: handle.snapshot(),
            cluster: handle.cluster(),
            rules: ToldRules::of(handle.rules()),
        };
        serde_json::to_vec(&told).expect("strings and numbers")
    }
}

impl ToldRules {
    fn of(rules: &Rules) -> Self {
        Self {
            tune_below: rules.thresholds.tune,
            excellent_above: rules.thresholds.excellent,
            least_lookups: rules.thresholds.lookups,
            warm_up_seconds: rules.warm_up as f64 / SECOND as f64,
            worth_from_ms_per_second: rules.worth,
        }
    }
}
