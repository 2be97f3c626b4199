//! Questions that wait for the simulations.

use std::sync::atomic::{AtomicU64, Ordering};

/// A ring to which any request adds, and from which one at a time takes.
#[derive(Debug)]
pub(super) struct Waiting {
    places: Box<[Place]>,
    next: AtomicU64,
}

/// A key of zero is an empty place.
#[derive(Debug, Default)]
struct Place {
    key: AtomicU64,
    note: AtomicU64,
}

impl Waiting {
    pub(super) fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| Place::default()).collect(),
            next: AtomicU64::new(0),
        }
    }

    /// Adds a key with a note, which are lost if the ring is full. True once in a while: it is time to take them.
    #[inline]
    pub(super) fn push(&self, key: u64, note: u64) -> bool {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let place = self.place(number);
        // Whoever is first stays: at most a key is lost.
        if place.key.load(Ordering::Relaxed) == 0 {
            place.note.store(note, Ordering::Relaxed);
            place.key.store(key.max(1), Ordering::Release);
        }
        (number + 1).is_multiple_of(BATCH)
    }

    /// Takes what came since a number, and returns the next. One at a time.
    pub(super) fn take(&self, since: u64, mut each: impl FnMut(u64, u64)) -> u64 {
        let end = self.next.load(Ordering::Relaxed);
        for number in since.max(end.saturating_sub(PLACES))..end {
            let place = self.place(number);
            let key = place.key.load(Ordering::Acquire);
            // Who has a number and has not put his key there yet is taken in the next round.
            if key != 0 {
                let note = place.note.load(Ordering::Relaxed);
                // Nobody else empties it, and only who finds it empty fills it: at most, two who find it so at once
                // leave the key of one and the note of the other.
                place.key.store(0, Ordering::Release);
                each(key, note);
            }
        }
        end
    }

    fn place(&self, number: u64) -> &Place {
        let place = usize::try_from(number % PLACES).expect("less than a small number");
        &self.places[place]
    }
}

const PLACES: u64 = 512;
const BATCH: u64 = 32;
