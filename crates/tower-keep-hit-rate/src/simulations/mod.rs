//! Caches of other lifetimes and other sizes, asked for what requests ask for; and the keys they ask for most.
//!
//! A request leaves its question in a ring and goes on. One in so many takes all that wait to the simulations, one
//! question after the other: that needs one lock for all of them, and none of their counts is anybody else's.

mod waiting;

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use waiting::Waiting;

use crate::{
    classes::{ClassId, Classes},
    curve::{Advice, Curve},
    hot_keys::{Hot, HotKeys},
    ladder::{Ladder, MOMENT, moment},
    rules::Rules,
};

/// All that is simulated: 956 KiB.
#[derive(Debug)]
pub(crate) struct Simulations {
    waiting: Waiting,
    simulated: Mutex<Simulated>,
    bodies: Bodies,
}

/// What a request asks simulated caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// The hash of what it asked for.
    pub(crate) key: u64,
    pub(crate) class: ClassId,
    /// When, in nanoseconds.
    pub(crate) now: u64,
    /// It counts among the hot keys.
    pub(crate) is_request: bool,
    /// A cache might answer it.
    pub(crate) is_cacheable: bool,
}

/// Whose answers are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted<'a>(pub(crate) &'a Classes, pub(crate) &'a Rules);

#[derive(Debug)]
struct Simulated {
    ladder: Ladder,
    curve: Curve,
    hot_keys: HotKeys,
    /// Where to go on in what waits.
    taken: u64,
}

impl Simulations {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Waiting::new(),
            simulated: Mutex::new(Simulated {
                ladder: Ladder::new(),
                curve: Curve::new(),
                hot_keys: HotKeys::new(false),
                taken: 0,
            }),
            bodies: Bodies::default(),
        }
    }

    /// Leaves a question. Now and then it also takes what others have left.
    #[inline]
    pub(crate) fn ask(&self, question: Question, counted: Counted<'_>) {
        if self.waiting.push(question.key, question.note())
            && let Ok(mut simulated) = self.simulated.try_lock()
        {
            simulated.catch_up(&self.waiting, counted);
        }
    }

    /// Notes the size of what was fetched.
    pub(crate) fn weigh(&self, bytes: u64) {
        self.bodies.add(bytes);
    }

    /// Answers all that was asked so far. To be called before a ladder is read.
    pub(crate) fn catch_up(&self, counted: Counted<'_>) -> Advice {
        let simulated = self.simulated.lock();
        let mut simulated = simulated.unwrap_or_else(PoisonError::into_inner);
        simulated.catch_up(&self.waiting, counted);
        simulated.curve.read(self.bodies.mean())
    }

    /// The hottest of all that was asked before the last reading.
    pub(crate) fn hot_keys(&self, most: usize, now: u64) -> Vec<Hot> {
        let simulated = self.simulated.lock();
        let mut simulated = simulated.unwrap_or_else(PoisonError::into_inner);
        simulated.hot_keys.top(most, now)
    }
}

impl Question {
    /// All but the key, in one word.
    fn note(self) -> u64 {
        u64::from(self.class.number())
            | u64::from(moment(self.now)) << MOMENT_AT
            | u64::from(self.is_request) << REQUEST_AT
            | u64::from(self.is_cacheable) << CACHEABLE_AT
    }
}

impl Simulated {
    fn catch_up(&mut self, waiting: &Waiting, Counted(classes, rules): Counted<'_>) {
        let Self {
            ladder,
            curve,
            hot_keys,
            taken,
        } = self;
        *taken = waiting.take(*taken, |key, note| {
            let (class, moment) = (note as u16, (note >> MOMENT_AT) as u32);
            if note >> REQUEST_AT & 1 == 1 {
                hot_keys.offer(key, "", u64::from(moment) * MOMENT);
            }
            if note >> CACHEABLE_AT & 1 == 1
                && let Some(id) = ClassId::of_number(class)
            {
                curve.ask(key);
                ladder.ask(key, moment, &classes.get(id, 0, rules).rungs);
            }
        });
    }
}

/// How large is what the origin sends, of late.
#[derive(Debug, Default)]
struct Bodies {
    count: AtomicU64,
    bytes: AtomicU64,
}

impl Bodies {
    fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_multiple_of(BODIES) {
            // What is added meanwhile stays.
            for sum in [&self.bytes, &self.count] {
                sum.fetch_sub(sum.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
            }
        }
    }

    fn mean(&self) -> Option<f64> {
        let count = self.count.load(Ordering::Relaxed);
        let bytes = self.bytes.load(Ordering::Relaxed);
        (count > 0).then(|| bytes as f64 / count as f64)
    }
}

// In a note, above the class.
const MOMENT_AT: u32 = 16;
const REQUEST_AT: u32 = 48;
const CACHEABLE_AT: u32 = 49;

/// After so many bodies, those before count half.
const BODIES: u64 = 1 << 16;

#[cfg(test)]
mod tests;
