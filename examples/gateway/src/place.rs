//! A connection's place among those that there may be at once.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::workers::Busy;

/// Free again when all clones are dropped: who goes over to another protocol keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    _held: Arc<(OwnedSemaphorePermit, Busy)>,
}

impl Place {
    pub(crate) fn new(permit: OwnedSemaphorePermit, busy: Busy) -> Self {
        Self {
            _held: Arc::new((permit, busy)),
        }
    }
}
