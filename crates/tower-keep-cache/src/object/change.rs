//! Changes under way.

use tower_keep_store::{Mode, Stamp, Store, StoreError, Target};

use crate::engine::spawn;

/// A change under way, which may or may not have been made.
pub(super) struct Uncertain {
    pub(super) store: Store,
    pub(super) targets: Vec<Target>,
}

impl Uncertain {
    /// Invalidates what the change may have changed.
    pub(super) async fn settle(mut self) -> Result<Stamp, StoreError> {
        let targets = std::mem::take(&mut self.targets);
        let deadline = self.store.step_deadline();
        let appended = self
            .store
            .log()
            .append(&targets, Mode::Hard, deadline)
            .await;
        if let Err(error) = &appended {
            tracing::warn!(%error, "an invalidation could not be written yet");
        }
        appended
    }
}

impl Drop for Uncertain {
    fn drop(&mut self) {
        if self.targets.is_empty() {
            return;
        }
        let rest = Self {
            store: self.store.clone(),
            targets: std::mem::take(&mut self.targets),
        };
        spawn(async move {
            let _written_or_waiting = rest.settle().await;
        });
    }
}
