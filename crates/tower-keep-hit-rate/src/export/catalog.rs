//! All metrics there are: the only place where they are named.

use crate::{
    counts::Figure,
    export::metric::{
        Metric, MetricKind,
        Source::{self, Evictions, Figures, Latencies, Outcomes, Whole},
        Unit::{Bytes, Count, Seconds},
        Value,
    },
};

/// Counters first: rates are for the reader to make.
pub(crate) const METRICS: [Metric; 13] = [
    Metric {
        name: "tower_keep_requests_total",
        help: "Requests, and lookups of other kinds, by what became of them.",
        unit: Count("request"),
        kind: MetricKind::Counter,
        source: Outcomes,
    },
    Metric {
        name: "tower_keep_response_bytes_total",
        help: "Bytes of bodies, by where they came from.",
        unit: Bytes,
        kind: MetricKind::Counter,
        source: Figures(
            "source",
            &[
                ("cache", Figure::CacheBytes),
                ("origin", Figure::OriginBytes),
            ],
        ),
    },
    Metric {
        name: "tower_keep_bodies_unfinished_total",
        help: "Bodies that did not go out as a whole, by why.",
        unit: Count("body"),
        kind: MetricKind::Counter,
        source: Figures(
            "reason",
            &[("abandoned", Figure::Abandoned), ("broken", Figure::Broken)],
        ),
    },
    Metric {
        name: "tower_keep_origin_calls_total",
        help: "Calls of the origin, those in the background included.",
        unit: Count("call"),
        kind: MetricKind::Counter,
        source: Source::Figure(Figure::OriginCalls),
    },
    Metric {
        name: "tower_keep_misses_not_stored_total",
        help: "Misses of which the response may not be stored, or could not be.",
        unit: Count("miss"),
        kind: MetricKind::Counter,
        source: Source::Figure(Figure::Unstored),
    },
    Metric {
        name: "tower_keep_origin_avoided_seconds_total",
        help: "What the origin would have taken for hits.",
        unit: Seconds,
        kind: MetricKind::Counter,
        source: Source::Figure(Figure::Avoided),
    },
    Metric {
        name: "tower_keep_hits_unpriced_total",
        help: "Hits of which nobody knows what the origin would have taken.",
        unit: Count("request"),
        kind: MetricKind::Counter,
        source: Source::Figure(Figure::Unpriced),
    },
    Metric {
        name: "tower_keep_hit_head_seconds_total",
        help: "How long hits took to the head of the response: nothing but the look.",
        unit: Seconds,
        kind: MetricKind::Counter,
        source: Source::Figure(Figure::LookTime),
    },
    Metric {
        name: "tower_keep_request_duration_seconds",
        help: "How long requests took to the end of the body, by who answered. Origin: misses too.",
        unit: Seconds,
        kind: MetricKind::Histogram,
        source: Latencies,
    },
    Metric {
        name: "tower_keep_evictions_total",
        help: "Entries that this process let go, by level and why.",
        unit: Count("entry"),
        kind: MetricKind::Counter,
        source: Evictions,
    },
    Metric {
        name: "tower_keep_requests_in_flight",
        help: "Requests whose answer is not over.",
        unit: Count("request"),
        kind: MetricKind::Gauge,
        source: Whole(|reading| Value::Count(reading.monitor.requests().1)),
    },
    Metric {
        name: "tower_keep_classes",
        help: "Classes that were seen, of 256.",
        unit: Count("class"),
        kind: MetricKind::Gauge,
        source: Whole(|reading| Value::Count(reading.classes.len() as u64)),
    },
    Metric {
        name: "tower_keep_uptime_seconds",
        help: "Since the layer was made.",
        unit: Seconds,
        kind: MetricKind::Gauge,
        source: Whole(|reading| Value::Nanos(reading.monitor.ticker.now())),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_they_count() {
        for Metric {
            name, unit, kind, ..
        } in METRICS
        {
            assert_eq!(
                name.ends_with("_total"),
                kind == MetricKind::Counter,
                "{name}"
            );
            let base = name.trim_end_matches("_total");
            assert_eq!(base.ends_with("_seconds"), unit == Seconds, "{name}");
            assert_eq!(base.ends_with("_bytes"), unit == Bytes, "{name}");
            assert!(name.starts_with("tower_keep_"), "{name}");
        }
    }
}
