//! Changes under way.

use tokio::runtime::Handle;
use tower_keep_store::{Mode, Stamp, Store, StoreError, Target};

use super::background::{Background, Task};

/// A change that may have been made, and what depends on it. One whose end nobody waited for invalidates
/// in the background.
pub(crate) struct Change {
    store: Store,
    background: Background,
    targets: Vec<Target>,
}

impl Change {
    pub(crate) fn begins(store: Store, background: Background, targets: Vec<Target>) -> Self {
        Self {
            store,
            background,
            targets,
        }
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
        if self.targets.is_empty() {
            return;
        }
        // No change of its own: a runtime that ends drops what it is given, which would begin anew.
        let (store, targets) = (self.store.clone(), std::mem::take(&mut self.targets));
        if Handle::try_current().is_err() {
            // Dropped where nothing can be spawned: the log's own task writes it.
            return store.log().append_unawaited(&targets, Mode::Hard);
        }
        self.background.spawn(Task::Invalidation, async move {
            let _written_or_waiting = invalidate(&store, &targets).await;
        });
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
