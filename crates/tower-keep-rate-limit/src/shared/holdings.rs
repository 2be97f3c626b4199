//! The slots that this process holds, as the server is to know them.
//!
//! The server is told how many there are now, never how many more or fewer: what gets lost, or arrives late,
//! is put right by the next telling. Each is told again three times in the life of a slot, so that the slots
//! of a process that dies come free.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, Weak},
};

use tower_keep_store::Key;

use super::{Hub, queue::Lane};
use crate::{quota::SLOT_LEASE, rule::Rule, slots::Slot};

/// Counts of held slots, by bucket.
#[derive(Debug, Default)]
pub(super) struct Holdings(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    holdings: HashMap<Key, Holding>,
    changed: Vec<Key>,
    is_renewed: bool,
}

#[derive(Debug)]
struct Holding {
    rule: Rule,
    count: u64,
    has_changed: bool,
}

impl Holdings {
    pub(super) fn count(&self, bucket: &Key) -> u64 {
        let state = self.state();
        state
            .holdings
            .get(bucket)
            .map_or(0, |holding| holding.count)
    }

    /// Counts slots that the server has counted already. True for the first ever: somebody has to renew them.
    pub(super) fn take(&self, slots: &[Slot]) -> bool {
        let mut state = self.state();
        for slot in slots {
            let holding = state.holdings.entry(slot.bucket).or_insert(Holding {
                rule: slot.rule,
                count: 0,
                has_changed: false,
            });
            holding.count += slot.units;
        }
        !std::mem::replace(&mut state.is_renewed, true)
    }

    pub(super) fn release(&self, bucket: &Key, units: u64) {
        let mut state = self.state();
        if let Some(holding) = state.holdings.get_mut(bucket) {
            holding.count = holding.count.saturating_sub(units);
        }
        state.note(bucket);
    }

    pub(super) fn have_changed(&self) -> bool {
        !self.state().changed.is_empty()
    }

    /// What the server is to be told now: what has changed, and what is held of the buckets that are asked for,
    /// since it may have forgotten, or count slots that were given to a call of which nothing was heard.
    pub(super) fn to_tell(
        &self,
        asked: impl Iterator<Item = (Key, Rule)>,
    ) -> Vec<(Key, Rule, u64)> {
        let mut state = self.state();
        let changed = std::mem::take(&mut state.changed);
        let mut told = Vec::with_capacity(changed.len());
        for (bucket, rule) in asked {
            let held = state.holdings.get(&bucket);
            if !held.is_some_and(|holding| holding.has_changed) {
                told.push((bucket, rule, held.map_or(0, |holding| holding.count)));
            }
        }
        for bucket in changed {
            if let Some(holding) = state.holdings.get_mut(&bucket) {
                holding.has_changed = false;
                told.push((bucket, holding.rule, holding.count));
                if holding.count == 0 {
                    state.holdings.remove(&bucket);
                }
            }
        }
        told
    }

    /// The server may not have been told of these: the next renewal does it. (Of those that are not held any
    /// more it forgets by itself.)
    pub(super) fn not_told(&self, told: &[(Key, Rule, u64)]) {
        let mut state = self.state();
        for (bucket, rule, count) in told {
            if *count == 0 && state.holdings.len() < MOST_REMEMBERED {
                state.holdings.entry(*bucket).or_insert(Holding {
                    rule: *rule,
                    count: 0,
                    has_changed: false,
                });
            }
        }
    }

    fn all_changed(&self) {
        let mut state = self.state();
        let all: Vec<Key> = state.holdings.keys().copied().collect();
        for bucket in all {
            state.note(&bucket);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, bucket: &Key) {
        if let Some(holding) = self.holdings.get_mut(bucket)
            && !std::mem::replace(&mut holding.has_changed, true)
        {
            self.changed.push(*bucket);
        }
    }
}

/// Tells the server again and again what is held, for as long as there is a hub.
pub(super) async fn renew(hub: Weak<Hub>) {
    loop {
        tokio::time::sleep(SLOT_LEASE / 3).await;
        let Some(hub) = hub.upgrade() else {
            return;
        };
        hub.holdings.all_changed();
        if hub.holdings.have_changed() {
            hub.wake(Lane::Slots);
        }
    }
}

/// Buckets without slots that are kept to tell the server so once more.
const MOST_REMEMBERED: usize = 4096;
