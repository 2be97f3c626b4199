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

    /// Asks the simulated caches for a key, and counts what they answer for its class.
    pub(crate) fn ask(&self, key: u64, now: u64, rungs: &Rungs) {
        let now = moment(now);
        // Whoever finds others at the same keys is left out, not taken for rare.
        let Ok(answers) = self.frequent.ask(key, now) else {
            return;
        };
        let sampled = self.sample.ask(key, now);
        match answers {
            Some(answers) => rungs.count_frequent(&answers),
            None => rungs.count_rare(sampled.as_ref()),
        }
    }
}

/// When a key was fetched last, for each lifetime; zero is never.
#[derive(Clone, Copy, Debug, Default)]
struct Fetched([u32; RUNGS]);

/// How old each answer was, in hundredths of a second; none where the key had to be fetched.
type Answers = [Option<u32>; RUNGS];

impl Fetched {
    fn ask(&mut self, now: u32) -> Answers {
        std::array::from_fn(|rung| {
            let fetched = &mut self.0[rung];
            let age = now.saturating_sub(*fetched);
            if *fetched > 0 && age < LIFETIMES[rung] * HUNDREDTHS {
                return Some(age);
            }
            *fetched = now;
            None
        })
    }

    /// No lifetime is long enough to answer with it.
    fn is_useless(&self, now: u32) -> bool {
        let longest = RUNGS - 1;
        now.saturating_sub(self.0[longest]) >= LIFETIMES[longest] * HUNDREDTHS
    }
}

/// Nanoseconds as hundredths of a second, from one.
fn moment(now: u64) -> u32 {
    let hundredths = now / (SECOND / u64::from(HUNDREDTHS));
    u32::try_from(hundredths).unwrap_or(u32::MAX - 1) + 1
}

/// A second to a day.
const LIFETIMES: [u32; RUNGS] = [1, 5, 15, 60, 300, 900, 3600, 21_600, 86_400];
const RUNGS: usize = 9;
const HUNDREDTHS: u32 = 100;

#[cfg(test)]
mod tests;
