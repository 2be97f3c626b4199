//! What was noted, on its way to the store.

use std::mem;

use super::Core;
use crate::record::Changes;

/// What the store did not take is not forgotten: whoever answers has to know. Nor is what was under way to it when
/// a step was given up in the middle.
pub(super) struct Noted<'a> {
    core: &'a Core,
    /// To be cleared once the store has them.
    pub(super) changes: Changes,
}

impl<'a> Noted<'a> {
    pub(super) fn of(core: &'a Core) -> Self {
        let changes = mem::take(&mut core.state().changes);
        Self { core, changes }
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        if self.changes.is_empty() {
            return;
        }
        let mut state = self.core.state();
        for (name, value) in mem::take(&mut self.changes) {
            state.changes.entry(name).or_insert(value);
        }
    }
}
