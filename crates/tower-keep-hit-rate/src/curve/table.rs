//! Where each key of the stack lies.

use super::{KEPT, LEVELS};

/// A hash table of fixed size, chained through its entries.
#[derive(Debug)]
pub(super) struct Table {
    heads: Box<[u16]>,
    entries: Box<[Entry]>,
    free: u16,
}

/// A key, and its place in the stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) key: u64,
    pub(super) level: u8,
    pub(super) place: u16,
    next: u16,
}

impl Table {
    pub(super) fn new() -> Self {
        let entry = |number: usize| Entry {
            key: 0,
            level: 0,
            place: 0,
            next: u16::try_from(number + 1).expect("few entries"),
        };
        let mut entries: Box<[Entry]> = (0..ENTRIES).map(entry).collect();
        entries[ENTRIES - 1].next = NONE;
        Self {
            heads: vec![NONE; HEADS].into_boxed_slice(),
            entries,
            free: 0,
        }
    }

    pub(super) fn entry(&mut self, number: u16) -> &mut Entry {
        &mut self.entries[usize::from(number)]
    }

    pub(super) fn find(&self, key: u64) -> Option<u16> {
        let mut number = self.heads[head(key)];
        while number != NONE {
            let entry = &self.entries[usize::from(number)];
            if entry.key == key {
                return Some(number);
            }
            number = entry.next;
        }
        None
    }

    /// An entry for a key that has none.
    pub(super) fn insert(&mut self, key: u64) -> u16 {
        let number = self.free;
        let head = &mut self.heads[head(key)];
        let entry = &mut self.entries[usize::from(number)];
        self.free = entry.next;
        (entry.key, entry.next) = (key, *head);
        *head = number;
        number
    }

    pub(super) fn remove(&mut self, number: u16) {
        let Entry { key, next, .. } = *self.entry(number);
        let mut link = &mut self.heads[head(key)];
        while *link != number {
            link = &mut self.entries[usize::from(*link)].next;
        }
        *link = next;
        self.entry(number).next = self.free;
        self.free = number;
    }
}

/// By other bits than those that choose what is sampled.
fn head(key: u64) -> usize {
    usize::try_from(key % HEADS as u64).expect("less than a small number")
}

/// One more than the levels keep: that which came last is in before another goes.
const ENTRIES: usize = LEVELS * KEPT + 1;
const HEADS: usize = 16_384;
const NONE: u16 = u16::MAX;
