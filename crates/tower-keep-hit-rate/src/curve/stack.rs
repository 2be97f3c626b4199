//! All keys in the order in which they were last asked for.

use super::{KEPT, LEVELS, level::Level, table::Table};

/// The keys asked for last are all kept; of those below fewer and fewer, chosen by their hashes: on each level
/// half as many as on the one above.
#[derive(Debug)]
pub(super) struct Stack {
    table: Table,
    levels: [Level; LEVELS],
}

/// Where a key lay that was asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) level: usize,
    /// How many others were asked for since, about: exact on the first level.
    pub(super) depth: u64,
}

impl Stack {
    pub(super) fn new() -> Self {
        Self {
            table: Table::new(),
            levels: std::array::from_fn(|_| Level::new()),
        }
    }

    /// Lays a key on top, and tells where it was; nothing if it was not in.
    pub(super) fn ask(&mut self, key: u64) -> Option<Found> {
        let known = self.table.find(key);
        let found = known.map(|entry| self.take(entry));
        let entry = known.unwrap_or_else(|| self.table.insert(key));
        self.push(0, entry);
        self.settle();
        found
    }

    /// How many keys were asked for, about.
    pub(super) fn keys(&self) -> u64 {
        self.above(LEVELS)
    }

    /// Takes a key off its level.
    fn take(&mut self, entry: u16) -> Found {
        let entry = *self.table.entry(entry);
        let level = usize::from(entry.level);
        let later = self.levels[level].later(entry.place);
        self.levels[level].leave(entry.place);
        Found {
            level,
            depth: self.above(level) + (later << level),
        }
    }

    /// How many keys the levels above one stand for.
    fn above(&self, level: usize) -> u64 {
        let levels = self.levels[..level].iter().enumerate();
        levels.map(|(level, of)| (of.keys() as u64) << level).sum()
    }

    fn push(&mut self, level: usize, entry: u16) {
        let to = &mut self.levels[level];
        if to.is_worn() {
            to.close_up(|entry, place| self.table.entry(entry).place = place);
        }
        let place = to.push(entry);
        let entry = self.table.entry(entry);
        (entry.level, entry.place) = (u8::try_from(level).expect("few levels"), place);
    }

    /// Lets the last key of a level that is full sink to the next if it is sampled there, else forgets it.
    fn settle(&mut self) {
        for level in 0..LEVELS {
            if self.levels[level].keys() <= KEPT {
                return;
            }
            let Some(entry) = self.levels[level].pop() else {
                return;
            };
            if lowest(self.table.entry(entry).key) == level {
                return self.table.remove(entry);
            }
            self.push(level + 1, entry);
        }
    }
}

/// The last level on which a key is sampled.
pub(super) fn lowest(key: u64) -> usize {
    let zeros = key.leading_zeros() as usize;
    zeros.min(LEVELS - 1)
}
