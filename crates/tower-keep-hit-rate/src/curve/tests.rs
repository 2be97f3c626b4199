//! The simulation against a replay of all requests.

pub(crate) mod replay;

use proptest::prelude::*;
use replay::Replay;
use tower_keep_test_support::{Random, seed};

use super::*;
use crate::workloads::{Workload, zipf};

const REQUESTS: u64 = 400_000;

#[test]
fn nine_workloads_are_within_two_hundredths_of_a_replay() {
    let mut random = Random::new(seed());
    for (name, mut workload) in workloads() {
        let (mut curve, mut replay) = (Curve::new(), Replay::default());
        let hashes = hashes(random.any());
        for request in 0..REQUESTS {
            let key = workload(&mut random, request);
            curve.ask(hashes(key));
            replay.ask(key);
        }
        let (mean, most) = errors(name, &curve, &replay);
        println!("{name}: mean error {mean:.4}, at most {most:.4}");
        assert!(mean <= 0.01, "{name}: {mean}");
    }
}

fn workloads() -> [Workload<'static>; 9] {
    let of_zipf = |s| Box::new(move |random: &mut Random, _| zipf(random, s, 100_000));
    [
        ("Zipf 0.8 of 100 000", of_zipf(0.8)),
        ("Zipf 0.99 of 100 000", of_zipf(0.99)),
        ("Zipf 1.2 of 100 000", of_zipf(1.2)),
        (
            "Zipf 0.7 of a million",
            Box::new(|random, _| zipf(random, 0.7, 1_000_000)),
        ),
        (
            "uniform, 50 000",
            Box::new(|random, _| random.below(50_000)),
        ),
        ("a loop of 30 000", Box::new(|_, request| request % 30_000)),
        (
            "half of it a scan of 60 000, half a hot set",
            Box::new(|random, request| match request % 2 {
                0 => 1_000_000 + request / 2 % 60_000,
                _ => random.below(500),
            }),
        ),
        (
            "a working set that moves on",
            Box::new(|random, request| request / 20 + zipf(random, 0.9, 20_000)),
        ),
        (
            "a third of it asked for once",
            Box::new(|random, request| match request % 3 {
                0 => 1_000_000 + request,
                _ => zipf(random, 0.9, 30_000),
            }),
        ),
    ]
}

#[test]
fn the_curve_follows_a_change_of_the_workload() {
    let mut random = Random::new(seed());
    let mut curve = Curve::new();
    let hashes = hashes(random.any());
    for _ in 0..500_000 {
        curve.ask(hashes(zipf(&mut random, 0.8, 100_000)));
    }
    let before = curve.read(None).enough_entries.expect("asked");
    let mut replay = Replay::default();
    for _ in 0..600_000 {
        let key = 1_000_000 + random.below(2000);
        curve.ask(hashes(key));
        replay.ask(key);
    }
    let after = curve.read(None).enough_entries.expect("asked");
    let (mean, _) = errors("afterwards", &curve, &replay);
    println!("enough: {before} before, {after} after; mean error {mean:.4}");
    assert!(mean <= 0.02);
    assert!(before > 20_000 && (1900..=2200).contains(&after));
}

proptest! {
    #[test]
    fn few_keys_are_a_count(keys in prop::collection::vec(0..300_u64, 1024..4096)) {
        let (mut curve, mut replay) = (Curve::new(), Replay::default());
        let hashes = hashes(7);
        for key in keys {
            curve.ask(hashes(key));
            replay.ask(key);
        }
        let points = curve.read(None).points;
        prop_assert_eq!(points.last().expect("asked").entries, replay.keys());
        for point in points {
            prop_assert!((point.hit_rate - replay.hit_rate(point.entries)).abs() < 1e-9);
        }
    }
}

#[test]
fn caches_that_the_first_level_holds_are_a_count_among_many_keys() {
    let mut random = Random::new(seed());
    let (mut curve, mut replay) = (Curve::new(), Replay::default());
    let hashes = hashes(random.any());
    // Fewer than a half-life: the replay counts its keys, the curve does not.
    for _ in 0..SHORTEST {
        let key = zipf(&mut random, 0.9, 200_000);
        curve.ask(hashes(key));
        replay.ask(key);
    }
    let points = curve.read(None).points;
    let (small, large): (Vec<CurvePoint>, Vec<_>) = points
        .into_iter()
        .partition(|point| point.entries <= KEPT as u64);
    assert!(small.len() > 15 && large.len() > 8);
    for point in small {
        assert!((point.hit_rate - replay.hit_rate(point.entries)).abs() < 1e-6);
    }
}

#[test]
fn a_curve_rises_and_tells_bytes_once_a_body_is_known() {
    let mut random = Random::new(seed());
    let mut curve = Curve::new();
    let hashes = hashes(random.any());
    let mut ask = |times, mean_bytes| {
        (0..times).for_each(|_| curve.ask(hashes(zipf(&mut random, 1.0, 10_000))));
        curve.read(mean_bytes).points
    };
    assert_eq!(ask(LEAST - 1, None), []);
    let points = ask(1, None);
    assert!(!points.is_empty() && points.iter().all(|point| point.bytes.is_none()));
    let points = ask(50_000, Some(1000.0));
    assert_eq!(points[0].entries, 1);
    assert!((24..=32).contains(&points.len()), "{points:?}");
    for pair in points.windows(2) {
        assert!(pair[0].entries < pair[1].entries && pair[0].hit_rate <= pair[1].hit_rate);
    }
    for point in points {
        assert!((0.0..=1.0).contains(&point.hit_rate));
        let mean = point.bytes.expect("known") as f64 / point.entries as f64;
        assert!((mean - 1000.0).abs() <= 1.0, "{mean}");
    }
}

#[test]
fn nobody_is_in_twice_and_the_table_never_overflows() {
    let mut stack = Stack::new();
    let mut random = Random::new(seed());
    // Most of these are sampled far down.
    for _ in 0..300_000 {
        let key = random.any() >> random.below(40);
        stack.ask(key);
        assert_eq!(stack.ask(key), Some(stack::Found { level: 0, depth: 0 }));
    }
}

fn hashes(salt: u64) -> impl Fn(u64) -> u64 {
    move |key| Random::new(salt ^ key).any()
}

/// How far the curve is off, in the mean of its points and at most.
fn errors(name: &str, curve: &Curve, replay: &Replay) -> (f64, f64) {
    let points = curve.read(None).points;
    let (mut sum, mut most) = (0.0, 0.0);
    for point in &points {
        let truth = replay.hit_rate(point.entries);
        let error = (point.hit_rate - truth).abs();
        println!(
            "{name}: {:>7} entries: {:.4} told, {truth:.4} true",
            point.entries, point.hit_rate
        );
        sum += error;
        most = f64::max(most, error);
    }
    let keys = curve.stack.keys();
    println!("{name}: {keys} keys told, {} true", replay.keys());
    (sum / points.len() as f64, most)
}
