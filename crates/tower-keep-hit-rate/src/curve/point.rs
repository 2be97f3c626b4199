//! What is told of the curve.

use serde::Serialize;

use super::{
    KEPT,
    depths::{BUCKETS, bucket, entries},
};

/// What a cache of some size would answer, by simulation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CurvePoint {
    /// How many entries the cache may hold; it gives up the one that was not asked for the longest.
    pub entries: u64,
    /// The same in bytes of bodies, by the mean of what the origin answered. `None` where no body is known.
    pub bytes: Option<u64>,
    /// The hit rate that it would have.
    pub hit_rate: f64,
}

/// Some 32 sizes from one entry to as many as there are keys, each about as many times the one before.
pub(super) fn points(
    rates: &[f64; BUCKETS],
    keys: u64,
    mean_bytes: Option<f64>,
) -> Vec<CurvePoint> {
    let mut points: Vec<CurvePoint> = Vec::with_capacity(POINTS);
    for number in 0..POINTS {
        let size = (keys as f64).powf(number as f64 / (POINTS - 1) as f64);
        let bucket = bucket(size.round() as u64 - 1);
        // What was asked for again lay no deeper than all keys.
        let is_last = number == POINTS - 1;
        let (entries, hit_rate) = if is_last {
            (ample(keys), rates[BUCKETS - 1])
        } else {
            (entries(bucket), rates[bucket])
        };
        let is_first_such = points.last().is_none_or(|last| last.entries < entries);
        if is_first_such && (entries < keys || is_last) {
            points.push(CurvePoint {
                entries,
                bytes: mean_bytes.map(|mean| (mean * entries as f64).round() as u64),
                hit_rate,
            });
        }
    }
    points
}

/// The smallest size that has nearly all the hits there are to be had.
pub(super) fn enough(rates: &[f64; BUCKETS], keys: u64) -> Option<u64> {
    let most = rates[BUCKETS - 1];
    let bucket = rates.iter().position(|rate| *rate >= ENOUGH * most)?;
    (most > 0.0).then(|| ample(entries(bucket).min(keys)))
}

/// So many that an estimate which is too low does no harm: of a scan, all or nothing is found.
fn ample(entries: u64) -> u64 {
    if entries <= KEPT as u64 {
        return entries;
    }
    entries + entries / 16
}

const POINTS: usize = 32;
const ENOUGH: f64 = 0.95;
