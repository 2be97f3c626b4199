//! The table that all of a process share.

use std::sync::{
    PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Notify;

use super::{
    feed::Feed,
    record::{Content, Record},
    table::{Gap, Stamp, Table},
};

/// The table under its lock, and the count of its changes.
#[derive(Debug)]
pub(super) struct Folded {
    table: RwLock<Table>,
    pub(super) generation: AtomicU64,
    /// Counts those that were taken while a change was announced.
    pub(super) moments: AtomicU64,
    /// Tells those who wait for a change.
    pub(super) changed: Notify,
    pub(super) feed: Feed,
}

impl Folded {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the table and counts the change before any reader can see it uncounted.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let mut table: RwLockWriteGuard<'_, _> =
            self.table.write().unwrap_or_else(PoisonError::into_inner);
        let before = table.stamp();
        let result = change(&mut table);
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.feed.tell_jump(before, table.stamp());
        drop(table);
        self.changed.notify_waiters();
        result
    }

    pub(super) fn apply(&self, record: &Record) -> Result<(), Gap> {
        self.change(|table| self.apply_to(table, record))
    }

    fn apply_to(&self, table: &mut Table, record: &Record) -> Result<(), Gap> {
        let before = table.stamp();
        table.apply(record)?;
        // What was known already was told already.
        if table.stamp() != before {
            self.feed.tell(table.stamp(), &record.content.changes);
        }
        Ok(())
    }

    /// The embedded log: record and table are one step.
    pub(super) fn append_here(&self, content: Content) -> Stamp {
        self.change(|table| {
            let stamp = table.stamp();
            let next = Record {
                position: stamp.position + 1,
                epoch: stamp.epoch,
                previous: table.nonce(),
                nonce: 0,
                content,
            };
            self.apply_to(table, &next)
                .expect("made from the table's own state, under its lock");
            table.stamp()
        })
    }
}

impl Default for Folded {
    fn default() -> Self {
        Self {
            table: RwLock::new(Table::new(TABLE_CAPACITY)),
            generation: AtomicU64::new(0),
            moments: AtomicU64::new(0),
            changed: Notify::new(),
            feed: Feed::default(),
        }
    }
}

/// Targets remembered one by one; of older ones only a [summary](super::summary::Summary).
pub(super) const TABLE_CAPACITY: usize = 1 << 16;
