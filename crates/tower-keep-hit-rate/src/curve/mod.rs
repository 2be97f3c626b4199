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
mod waiting;

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use depths::Depths;
pub use point::CurvePoint;
use stack::{Stack, lowest};
use waiting::Waiting;

/// The stack and what was found in it: 436 KiB.
#[derive(Debug)]
pub(crate) struct Curve {
    waiting: Waiting,
    simulation: Mutex<Simulation>,
    bodies: AtomicU64,
    bytes: AtomicU64,
}

/// The curve at one moment.
#[derive(Debug, Default)]
pub(crate) struct Advice {
    pub(crate) points: Vec<CurvePoint>,
    pub(crate) enough_entries: Option<u64>,
}

#[derive(Debug)]
struct Simulation {
    stack: Stack,
    depths: Depths,
    /// Where to go on in what waits.
    taken: u64,
    requests: u64,
    halved_at: u64,
}

impl Curve {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Waiting::new(),
            simulation: Mutex::new(Simulation::new()),
            bodies: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Counts a request of a key. Now and then it also takes what others have left.
    pub(crate) fn ask(&self, key: u64) {
        if self.waiting.push(key)
            && let Ok(mut simulation) = self.simulation.try_lock()
        {
            simulation.catch_up(&self.waiting);
        }
    }

    /// Notes the size of what was fetched.
    pub(crate) fn weigh(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let bodies = self.bodies.fetch_add(1, Ordering::Relaxed) + 1;
        if bodies.is_multiple_of(BODIES) {
            // What is added meanwhile stays.
            for sum in [&self.bytes, &self.bodies] {
                sum.fetch_sub(sum.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn read(&self) -> Advice {
        let simulation = self.simulation.lock();
        let mut simulation = simulation.unwrap_or_else(PoisonError::into_inner);
        simulation.catch_up(&self.waiting);
        if simulation.requests < LEAST {
            return Advice::default();
        }
        let (rates, keys) = (simulation.depths.hit_rates(), simulation.stack.keys());
        drop(simulation);
        Advice {
            points: point::points(&rates, keys, self.mean_bytes()),
            enough_entries: point::enough(&rates, keys),
        }
    }

    fn mean_bytes(&self) -> Option<f64> {
        let bodies = self.bodies.load(Ordering::Relaxed);
        let bytes = self.bytes.load(Ordering::Relaxed);
        (bodies > 0).then(|| bytes as f64 / bodies as f64)
    }
}

impl Simulation {
    fn new() -> Self {
        Self {
            stack: Stack::new(),
            depths: Depths::new(),
            taken: 0,
            requests: 0,
            halved_at: 0,
        }
    }

    fn catch_up(&mut self, waiting: &Waiting) {
        self.taken = waiting.take(self.taken, |key| self.ask(key));
    }

    fn ask(&mut self, key: u64) {
        let found = self.stack.ask(key);
        self.depths.count(lowest(key), found);
        self.requests += 1;
        if self.requests.is_multiple_of(LEAST) {
            self.age();
        }
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

/// After so many bodies, those before count half.
const BODIES: u64 = 1 << 16;

#[cfg(test)]
mod tests;
