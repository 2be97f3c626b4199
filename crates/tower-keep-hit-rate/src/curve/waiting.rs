//! Keys that wait for the stack.

use std::sync::atomic::{AtomicU64, Ordering};

/// A ring to which any request adds, and from which one at a time takes. Zero is an empty place.
#[derive(Debug)]
pub(super) struct Waiting {
    places: Box<[AtomicU64]>,
    next: AtomicU64,
}

impl Waiting {
    pub(super) fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            next: AtomicU64::new(0),
        }
    }

    /// Adds a key, which is lost if the ring is full. True once in a while: it is time to take them.
    pub(super) fn push(&self, key: u64) -> bool {
        let order = Ordering::Relaxed;
        let number = self.next.fetch_add(1, order);
        // Whoever is first stays: at most a key is lost.
        let _lost = self
            .place(number)
            .compare_exchange(0, key.max(1), order, order);
        (number + 1).is_multiple_of(BATCH)
    }

    /// Takes what came since a number, and returns the next. One at a time.
    pub(super) fn take(&self, since: u64, mut each: impl FnMut(u64)) -> u64 {
        let end = self.next.load(Ordering::Relaxed);
        for number in since.max(end.saturating_sub(PLACES))..end {
            // Who has a number and has not put his key there yet is taken in the next round.
            let key = self.place(number).swap(0, Ordering::Relaxed);
            if key != 0 {
                each(key);
            }
        }
        end
    }

    fn place(&self, number: u64) -> &AtomicU64 {
        let place = usize::try_from(number % PLACES).expect("less than a small number");
        &self.places[place]
    }
}

const PLACES: u64 = 512;
const BATCH: u64 = 16;
