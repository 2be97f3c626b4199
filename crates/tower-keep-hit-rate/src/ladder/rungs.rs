//! What the simulated caches answered for one class.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::{Answers, FETCH, HUNDREDTHS, LIFETIMES, RUNGS, sample::Sampled};

/// What a lifetime would do for a class, by simulation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Rung {
    /// How long every response would be fresh.
    pub lifetime_seconds: u32,
    /// The hit rate that it would have.
    pub hit_rate: f64,
    /// How old a hit would be in the mean: the most that it is out of date.
    pub mean_age_seconds: f64,
}

/// Answers since the start.
#[derive(Debug, Default)]
pub(crate) struct Rungs {
    frequent: Tally,
    sampled: Tally,
    /// Requests of keys that are not frequent, in the sample or not.
    rare: AtomicU64,
}

/// What one lifetime answers, the longer ones mostly answer too: one count says both.
#[derive(Debug, Default)]
struct Tally {
    /// Requests that this lifetime and all longer ones have answered, and no shorter one; the last: none has,
    /// or others than these.
    from: [AtomicU64; RUNGS + 1],
    /// Hits of those others.
    odd: [AtomicU64; RUNGS],
    ages: [AtomicU64; RUNGS],
}

impl Rungs {
    pub(super) fn count_frequent(&self, answers: &Answers) {
        self.frequent.count(answers, 1);
    }

    pub(super) fn count_rare(&self, sampled: Option<&Sampled>) {
        add(&self.rare, 1);
        if let Some(sampled) = sampled {
            self.sampled.count(&sampled.answers, sampled.weight);
        }
    }

    /// All lifetimes, the shortest first; nothing where nothing was simulated.
    pub(crate) fn read(&self) -> Vec<Rung> {
        let rungs = 0..RUNGS;
        rungs.filter_map(|rung| self.rung(rung)).collect()
    }

    fn rung(&self, rung: usize) -> Option<Rung> {
        let rare = load(&self.rare);
        let sampled = self.sampled.requests();
        // What the sample stands for, corrected to what was counted.
        let scale = if sampled > 0.0 { rare / sampled } else { 0.0 };
        let all = self.frequent.requests() + rare;
        let sum = |of: fn(&Tally, usize) -> f64| {
            of(&self.frequent, rung) + scale * of(&self.sampled, rung)
        };
        let (hits, ages) = (sum(Tally::hits), sum(Tally::ages));
        (all > 0.0).then(|| Rung {
            lifetime_seconds: LIFETIMES[rung],
            hit_rate: hits / all,
            mean_age_seconds: if hits > 0.0 {
                ages / hits / f64::from(HUNDREDTHS)
            } else {
                0.0
            },
        })
    }
}

impl Tally {
    fn count(&self, answers: &Answers, weight: u64) {
        let hits = |rungs: &[u32]| rungs.iter().filter(|age| **age != FETCH).count();
        let first = answers.iter().take_while(|age| **age == FETCH).count();
        let is_plain = hits(answers) == RUNGS - first;
        add(&self.from[if is_plain { first } else { RUNGS }], weight);
        for (rung, age) in answers.iter().enumerate().skip(first) {
            if *age == FETCH {
                continue;
            }
            if !is_plain {
                add(&self.odd[rung], weight);
            }
            add(&self.ages[rung], weight * u64::from(*age));
        }
    }

    fn requests(&self) -> f64 {
        self.from.iter().map(load).sum()
    }

    fn hits(&self, rung: usize) -> f64 {
        let from: f64 = self.from[..=rung].iter().map(load).sum();
        from + load(&self.odd[rung])
    }

    fn ages(&self, rung: usize) -> f64 {
        load(&self.ages[rung])
    }
}

/// Only who has the ladder adds, so nothing is lost between the two.
fn add(to: &AtomicU64, amount: u64) {
    let sum = to.load(Ordering::Relaxed) + amount;
    to.store(sum, Ordering::Relaxed);
}

fn load(figure: &AtomicU64) -> f64 {
    figure.load(Ordering::Relaxed) as f64
}
