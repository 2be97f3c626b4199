//! Looking in.

use std::fmt::Write;

use axum::{Json, extract::State, response::IntoResponse};
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tower_keep::CacheStats;

use crate::stack::Handles;

/// `GET /stats`.
pub(super) async fn stats(State(handles): State<Handles>) -> Json<Value> {
    let cache = handles.cache.stats();
    let held: serde_json::Map<_, _> = named(&cache)
        .into_iter()
        .map(|(name, _, value)| (name.to_owned(), value.into()))
        .collect();
    Json(json!({ "cache": held, "hit_rate": handles.hit_rate.snapshot() }))
}

/// `GET /metrics`.
pub(super) async fn metrics(State(handles): State<Handles>) -> impl IntoResponse {
    let mut text = handles.hit_rate.prometheus();
    for (name, kind, value) in named(&handles.cache.stats()) {
        let name = format!("tower_keep_cache_{name}");
        let _infallible = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}

fn named(stats: &CacheStats) -> [(&'static str, &'static str, u64); 9] {
    [
        ("entries", "gauge", stats.entries),
        ("bytes", "gauge", stats.bytes),
        ("in_flight", "gauge", stats.in_flight),
        ("unreadable_total", "counter", stats.unreadable),
        ("unwritten_total", "counter", stats.unwritten),
        ("failed_reads_total", "counter", stats.failed_reads),
        (
            "invalidated_targets_total",
            "counter",
            stats.invalidated_targets,
        ),
        (
            "invalidation_records_total",
            "counter",
            stats.invalidation_records,
        ),
        ("unlabelled_total", "counter", stats.unlabelled),
    ]
}
