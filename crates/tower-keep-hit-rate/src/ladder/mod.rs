//! What other lifetimes would do: a cache of each, simulated on some of the keys.
//!
//! Keys that are asked for often are simulated all; of the others, those whose hashes lie below a bound that
//! sinks as more keys come (SHARDS, Waldspurger et al. 2015). Sampling alone errs where few keys make most of
//! the requests: whether one of them is in the sample decides all.

mod frequent;
mod rungs;
mod sample;

use frequent::Frequent;
pub use rungs::Rung;
pub(crate) use rungs::Rungs;
use sample::Sample;

use crate::ticker::SECOND;

/// Keys, and when each was last fetched in the simulated caches: 520 KiB.
#[derive(Debug)]
pub(crate) struct Ladder {
    frequent: Frequent,
    sample: Sample,
}

impl Ladder {
    pub(crate) fn new() -> Self {
        Self {
            frequent: Frequent::new(),
            sample: Sample::new(),
        }
    }

    /// Asks the simulated caches for a key at a [moment], and counts what they answer for its class.
    pub(crate) fn ask(&mut self, key: u64, now: u32, rungs: &Rungs) {
        match self.frequent.ask(key, now) {
            Some(answers) => rungs.count_frequent(&answers),
            None => rungs.count_rare(self.sample.ask(key, now).as_ref()),
        }
    }
}

/// When a key was fetched last, for each lifetime; zero is never.
#[derive(Clone, Copy, Debug, Default)]
struct Fetched([u32; RUNGS]);

/// How old each answer was, in hundredths of a second; [`FETCH`] where the key had to be fetched.
type Answers = [u32; RUNGS];

impl Fetched {
    fn ask(&mut self, now: u32) -> Answers {
        let mut answers = [FETCH; RUNGS];
        for (rung, fetched) in self.0.iter_mut().enumerate() {
            let age = now.saturating_sub(*fetched);
            let is_hit = *fetched > 0 && age < LIFETIMES[rung] * HUNDREDTHS;
            answers[rung] = if is_hit { age } else { FETCH };
            *fetched = if is_hit { *fetched } else { now };
        }
        answers
    }

    /// No lifetime is long enough to answer with it.
    fn is_useless(&self, now: u32) -> bool {
        let longest = RUNGS - 1;
        now.saturating_sub(self.0[longest]) >= LIFETIMES[longest] * HUNDREDTHS
    }
}

/// Nanoseconds as hundredths of a second, from one.
pub(crate) fn moment(now: u64) -> u32 {
    let hundredths = now / MOMENT;
    u32::try_from(hundredths).unwrap_or(u32::MAX - 1) + 1
}

/// A second to a day.
const LIFETIMES: [u32; RUNGS] = [1, 5, 15, 60, 300, 900, 3600, 21_600, 86_400];
const RUNGS: usize = 9;
const HUNDREDTHS: u32 = 100;

/// The nanoseconds of one.
pub(crate) const MOMENT: u64 = SECOND / HUNDREDTHS as u64;

/// Older than the longest lifetime.
const FETCH: u32 = u32::MAX;

#[cfg(test)]
mod tests;
