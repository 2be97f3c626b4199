//! Waiting for what waits to be written.

use super::Shared;

impl Shared {
    /// Changes that are not known to stand in the log.
    pub(in crate::log) fn unwritten(&self) -> u64 {
        let latest = self.outbox().latest();
        latest.saturating_sub(self.written.borrow().ticket)
    }

    /// Waits until all that is queued now stands in the log.
    pub(in crate::log) async fn flush(&self) {
        let ticket = self.outbox().latest();
        let mut written = self.written.subscribe();
        // The sender lives in this very log.
        let _stands = written.wait_for(|written| written.ticket >= ticket).await;
    }
}
