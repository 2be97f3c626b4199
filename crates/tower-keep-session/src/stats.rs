//! What was seen that need not be.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was seen that need not be.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Requests with two session cookies.
    pub(crate) ambiguous: AtomicU64,
    /// Requests with a ticket whose session had ended.
    pub(crate) ended: AtomicU64,
    /// Those among them whose ticket a rotation had replaced.
    pub(crate) reused: AtomicU64,
    /// Changes that came too late.
    pub(crate) late: AtomicU64,
    /// Writes that timed out.
    pub(crate) unsure: AtomicU64,
}

/// What a layer has seen that need not be, since it was made, in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStats {
    /// Requests with two session cookies (or two other tickets): refused, and taken for none.
    pub ambiguous: u64,
    /// Requests with the ticket of a session that had just ended. A few come from requests that were under
    /// way; many are a sign of theft.
    pub ended: u64,
    /// Those among them whose ticket a rotation had replaced, after its grace (and for an hour): its client had
    /// another by then. A sign of theft; see
    /// [`on_reused_ticket`](crate::SessionLayerBuilder::on_reused_ticket).
    pub reused: u64,
    /// Changes that were not applied because the session had ended meanwhile.
    pub late: u64,
    /// Changes, logins, rotations and logouts that timed out: they may have been carried out, or be yet.
    pub unsure: u64,
}

impl Counters {
    pub(crate) fn stats(&self) -> SessionStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SessionStats {
            ambiguous: get(&self.ambiguous),
            ended: get(&self.ended),
            reused: get(&self.reused),
            late: get(&self.late),
            unsure: get(&self.unsure),
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
