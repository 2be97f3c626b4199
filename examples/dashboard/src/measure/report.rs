//! The figures, for people and for programs.

use std::{
    fmt,
    io::{self, Write},
};

use serde::Serialize;

use super::client::Reply;

/// All endpoints, in the order of measurement.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    endpoints: Vec<Endpoint>,
}

/// Medians of one endpoint.
#[derive(Debug, Serialize)]
pub(super) struct Endpoint {
    name: &'static str,
    uncached_ms: f64,
    cached_ms: f64,
    ratio: f64,
    queries_uncached: u32,
    queries_cached: u32,
}

impl Report {
    pub(super) fn add(&mut self, endpoint: Endpoint) {
        self.endpoints.push(endpoint);
    }

    /// Writes to standard output.
    pub(crate) fn print(&self, json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if json {
            serde_json::to_writer(&mut out, self)?;
            writeln!(out)
        } else {
            write!(out, "{self}")
        }
    }
}

impl Endpoint {
    pub(super) fn new(name: &'static str, uncached: &[Reply], cached: &[Reply]) -> Self {
        let (slow, fast) = (time(uncached), time(cached));
        Self {
            name,
            uncached_ms: rounded(slow),
            cached_ms: rounded(fast),
            ratio: rounded(slow / fast),
            queries_uncached: queries(uncached),
            queries_cached: queries(cached),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:16} {:>12} {:>12} {:>8} {:>18}",
            "endpoint", "uncached ms", "cached ms", "ratio", "database queries"
        )?;
        for e in &self.endpoints {
            writeln!(
                f,
                "{:16} {:>12.2} {:>12.3} {:>7.0}x {:>18}",
                e.name,
                e.uncached_ms,
                e.cached_ms,
                e.ratio,
                format!("{} -> {}", e.queries_uncached, e.queries_cached)
            )?;
        }
        writeln!(f, "\nMedians over HTTP on one kept-alive connection.")
    }
}

fn time(replies: &[Reply]) -> f64 {
    median(replies.iter().map(|reply| reply.milliseconds).collect())
}

fn queries(replies: &[Reply]) -> u32 {
    median(
        replies
            .iter()
            .filter_map(|reply| reply.queries().map(f64::from))
            .collect(),
    ) as u32
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert!((median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
        assert!(median(vec![]).abs() < f64::EPSILON);
    }
}
