//! Changes under way.

use tower_keep_store::{Mode, Stamp, Store, StoreError, Target};

/// A change that may have been made, and what depends on it. One whose end nobody waited for invalidates
/// all the same.
pub(crate) struct Change {
    store: Store,
    targets: Vec<Target>,
}

impl Change {
    pub(crate) fn begins(store: Store, targets: Vec<Target>) -> Self {
        Self { store, targets }
    }

    /// More depends on it.
    pub(crate) fn concerns(&mut self, targets: impl IntoIterator<Item = Target>) {
        for target in targets {
            // Twice in one record would be as if two had made the change.
            if !self.targets.contains(&target) {
                self.targets.push(target);
            }
        }
    }

    /// It was not made.
    pub(crate) fn dismiss(&mut self) {
        self.targets.clear();
    }

    /// Invalidates what it may have changed.
    pub(crate) async fn ends(mut self) -> Result<Stamp, StoreError> {
        let targets = std::mem::take(&mut self.targets);
        invalidate(&self.store, &targets).await
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        // At once, and in no task: the runtime may be ending.
        self.store.log().append_unawaited(&self.targets, Mode::Hard);
    }
}

async fn invalidate(store: &Store, targets: &[Target]) -> Result<Stamp, StoreError> {
    let deadline = store.step_deadline();
    let appended = store.log().append(targets, Mode::Hard, deadline).await;
    if let Err(error) = &appended {
        // In force here; the others hear of it when the store is back.
        tracing::warn!(%error, "an invalidation could not be written yet");
    }
    appended
}
