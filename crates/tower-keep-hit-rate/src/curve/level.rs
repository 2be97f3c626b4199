//! A part of the stack: keys that lie next to each other in it.

use super::KEPT;

/// Keys in the order in which they came, as numbers of entries in the table. Each place is used once; when all
/// are, those that are still taken close up.
#[derive(Debug)]
pub(super) struct Level {
    places: Box<[u16]>,
    /// A bit for each place that is taken, and how many there are in each word.
    taken: [u64; WORDS],
    counts: [u16; WORDS],
    /// No key lies in a word before this one.
    first: usize,
    next: usize,
    keys: usize,
}

impl Level {
    pub(super) fn new() -> Self {
        Self {
            places: vec![0; PLACES].into_boxed_slice(),
            taken: [0; WORDS],
            counts: [0; WORDS],
            first: 0,
            next: 0,
            keys: 0,
        }
    }

    pub(super) fn keys(&self) -> usize {
        self.keys
    }

    /// Every place was used.
    pub(super) fn is_worn(&self) -> bool {
        self.next == PLACES
    }

    /// Takes the next place.
    pub(super) fn push(&mut self, entry: u16) -> u16 {
        let place = self.next;
        self.places[place] = entry;
        self.taken[place / BITS] |= 1 << (place % BITS);
        self.counts[place / BITS] += 1;
        self.next += 1;
        self.keys += 1;
        u16::try_from(place).expect("few places")
    }

    pub(super) fn leave(&mut self, place: u16) {
        let (word, bit) = split(place);
        self.taken[word] &= !(1 << bit);
        self.counts[word] -= 1;
        self.keys -= 1;
    }

    /// How many keys came later than that of a place.
    pub(super) fn later(&self, place: u16) -> u64 {
        let (word, bit) = split(place);
        let beside = (self.taken[word] >> bit >> 1).count_ones();
        let after: u16 = self.counts[word + 1..].iter().sum();
        u64::from(beside) + u64::from(after)
    }

    /// Takes out the key that came first.
    pub(super) fn pop(&mut self) -> Option<u16> {
        while *self.counts.get(self.first)? == 0 {
            self.first += 1;
        }
        let bit = self.taken[self.first].trailing_zeros() as usize;
        let place = self.first * BITS + bit;
        self.leave(u16::try_from(place).expect("few places"));
        Some(self.places[place])
    }

    /// Closes the gaps, and tells each entry's new place.
    pub(super) fn close_up(&mut self, mut tell: impl FnMut(u16, u16)) {
        let used = std::mem::replace(&mut self.taken, [0; WORDS]);
        self.counts = [0; WORDS];
        (self.first, self.next, self.keys) = (0, 0, 0);
        for place in 0..PLACES {
            if used[place / BITS] >> (place % BITS) & 1 == 1 {
                let entry = self.places[place];
                tell(entry, self.push(entry));
            }
        }
    }
}

fn split(place: u16) -> (usize, usize) {
    let place = usize::from(place);
    (place / BITS, place % BITS)
}

/// Twice the keys, so that the gaps are closed once in so many requests as there are keys.
const PLACES: usize = 2 * KEPT;
const BITS: usize = 64;
const WORDS: usize = PLACES / BITS;
