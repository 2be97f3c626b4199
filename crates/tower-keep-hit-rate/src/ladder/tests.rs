//! The simulation against a replay of all requests.

use std::collections::HashMap;

use tower_keep_test_support::{Random, seed};

use super::*;
use crate::workloads::{Workload, zipf};

const REQUESTS: u64 = 400_000;

/// Two hours of requests.
const GAP: u64 = 2 * 3600 * SECOND / REQUESTS;

#[test]
fn five_workloads_are_within_two_hundredths_of_a_replay() {
    let mut random = Random::new(seed());
    let workloads: [Workload<'_>; 5] = [
        (
            "Zipf 1.0 of 100 000",
            Box::new(|random, _| zipf(random, 1.0, 100_000)),
        ),
        (
            "Zipf 0.7 of a million",
            Box::new(|random, _| zipf(random, 0.7, 1_000_000)),
        ),
        (
            "uniform, 20 000",
            Box::new(|random, _| random.below(20_000)),
        ),
        (
            "half of it a scan",
            Box::new(|random, request| match request % 2 {
                0 => 1_000_000 + request / 2 % 60_000,
                _ => zipf(random, 1.2, 50_000),
            }),
        ),
        (
            "another crowd every ten minutes",
            Box::new(|random, request| {
                request * GAP / (600 * SECOND) * 1_000_000 + zipf(random, 0.9, 50_000)
            }),
        ),
    ];
    for (name, mut workload) in workloads {
        let (mut ladder, rungs) = (Ladder::new(), Rungs::default());
        let mut replay = Replay::default();
        let salt = random.any();
        for request in 0..REQUESTS {
            let (key, now) = (workload(&mut random, request), request * GAP);
            replay.ask(key, now);
            ladder.ask(Random::new(salt ^ key).any(), moment(now), &rungs);
        }
        let told = rungs.read();
        let mut error = 0.0;
        for (rung, told) in told.iter().enumerate() {
            let truth = replay.hits[rung] as f64 / REQUESTS as f64;
            error += (told.hit_rate - truth).abs() / RUNGS as f64;
            let age = replay.ages[rung] as f64 / replay.hits[rung].max(1) as f64 / 100.0;
            println!(
                "{name}: {:>5} s: {:.4} told, {truth:.4} true; age {:.1} told, {age:.1} true",
                told.lifetime_seconds, told.hit_rate, told.mean_age_seconds
            );
            assert!((told.mean_age_seconds - age).abs() <= 0.1 * age + 0.1);
        }
        println!("{name}: mean error {error:.4}");
        assert!(error <= 0.02, "{name}: {error}");
    }
}

#[test]
fn a_megabyte_is_enough() {
    let used = allocation_counter::measure(|| drop(Ladder::new()));
    assert!(used.bytes_max <= 1 << 20, "{used:?}");
}

#[test]
fn nothing_asked_says_nothing() {
    assert_eq!(Rungs::default().read(), []);
}

/// All keys, in caches without bounds.
#[derive(Default)]
struct Replay {
    fetched: HashMap<u64, Fetched>,
    hits: [u64; RUNGS],
    ages: [u64; RUNGS],
}

impl Replay {
    fn ask(&mut self, key: u64, now: u64) {
        let answers = self.fetched.entry(key).or_default().ask(moment(now));
        for (rung, age) in answers.into_iter().enumerate() {
            if age != FETCH {
                self.hits[rung] += 1;
                self.ages[rung] += u64::from(age);
            }
        }
    }
}
