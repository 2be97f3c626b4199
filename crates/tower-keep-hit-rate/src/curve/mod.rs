//! What other sizes would do: the hit rate of a cache by how many entries it may hold.
//!
//! A cache that gives up what was not asked for the longest (LRU) is the top of a stack on which each request
//! lays its key (Mattson et al. 1970): it answers whatever lies no deeper than it is large. So the depths of
//! all requests give the hit rates of all sizes at once.
//!
//! A stack of all keys has no bound. As in SHARDS (Waldspurger et al. 2015), hashes choose some keys that stand
//! for all, but the more of them the nearer to the top: of the first [`KEPT`] all, of twice as many below half,
//! and so on. Keys that are asked for often lie near the top and are counted as they are; sampling as many of
//! them as of the others is what makes plain SHARDS err where few keys make most of the requests. And no rate
//! has to be lowered as more keys come, nor is the sample spent on what nobody asks for any more.

mod depths;
mod level;
mod point;
mod stack;
mod table;

use depths::Depths;
pub use point::CurvePoint;
use stack::{Stack, lowest};

/// The stack and what was found in it: 432 KiB.
#[derive(Debug)]
pub(crate) struct Curve {
    stack: Stack,
    depths: Depths,
    requests: u64,
    halved_at: u64,
}

/// The curve at one moment.
#[derive(Debug, Default)]
pub(crate) struct Advice {
    pub(crate) points: Vec<CurvePoint>,
    pub(crate) enough_entries: Option<u64>,
}

impl Curve {
    pub(crate) fn new() -> Self {
        Self {
            stack: Stack::new(),
            depths: Depths::new(),
            requests: 0,
            halved_at: 0,
        }
    }

    /// Counts a request of a key.
    pub(crate) fn ask(&mut self, key: u64) {
        let found = self.stack.ask(key);
        self.depths.count(lowest(key), found);
        self.requests += 1;
        if self.requests.is_multiple_of(LEAST) {
            self.age();
        }
    }

    /// What it says, where what is fetched has so many bytes in the mean.
    pub(crate) fn read(&self, mean_bytes: Option<f64>) -> Advice {
        if self.requests < LEAST {
            return Advice::default();
        }
        let (rates, keys) = (self.depths.hit_rates(), self.stack.keys());
        Advice {
            points: point::points(&rates, keys, mean_bytes),
            enough_entries: point::enough(&rates, keys),
        }
    }

    #[cfg(test)]
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    /// After as many requests as there are keys, what was before counts half.
    fn age(&mut self) {
        let half_life = self.stack.keys().clamp(SHORTEST, LONGEST);
        if self.requests - self.halved_at >= half_life {
            self.depths.halve();
            self.halved_at = self.requests;
        }
    }
}

/// How many keys are kept on each level.
const KEPT: usize = 1536;

/// Together they stand for 12 million keys; what sinks deeper is forgotten.
const LEVELS: usize = 13;

/// Fewer requests tell nothing.
const LEAST: u64 = 1024;

/// Bounds of the half-life, in requests.
const SHORTEST: u64 = 1 << 16;
const LONGEST: u64 = 1 << 20;

#[cfg(test)]
pub(crate) mod tests;
