//! A change of data while it is under way.

use std::time::Duration;

use tower_keep_store::{Doubt, Stamp, Store, StoreError, Target};

use super::change::Change;

/// A change that may be made any moment, and what depends on it. Dropped, it ends all the same: the change may
/// have been made.
pub(crate) enum Uncertain {
    /// What depends on it is refused everywhere.
    Announced(Doubt),
    /// Nobody knows of it yet.
    Quiet(Change),
}

impl Uncertain {
    /// Announces it: two records, one now and one at its end. If that cannot be written, the change goes on
    /// without: a store that is down must not keep an application from its database.
    pub(crate) async fn announced(store: &Store, targets: Vec<Target>, lease: Duration) -> Self {
        let deadline = store.step_deadline();
        match store.log().doubt(&targets, lease, deadline).await {
            Ok(doubt) => Self::Announced(doubt),
            Err(error) => {
                tracing::warn!(%error, "a change could not be announced");
                Self::quiet(store, targets)
            }
        }
    }

    /// One record, at its end.
    pub(crate) fn quiet(store: &Store, targets: Vec<Target>) -> Self {
        Self::Quiet(Change::begins(store.clone(), targets))
    }

    /// Invalidates what it may have changed. Returns where that stands in the log.
    pub(crate) async fn ends(self) -> Result<Stamp, StoreError> {
        match self {
            Self::Quiet(change) => change.ends().await,
            Self::Announced(doubt) => {
                let ended = doubt.resolve().await;
                if let Err(error) = &ended {
                    tracing::warn!(%error, "the end of a change could not be written yet");
                }
                ended
            }
        }
    }
}
