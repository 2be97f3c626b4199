//! A session that has ended without its own doing.

use super::{Core, Issue};
use crate::record::Record;

impl Core {
    /// Takes note that the session has ended in the store, with all others of its user. The client is told to
    /// forget its ticket.
    pub(crate) async fn is_over(&self) {
        let _step = self.step.lock().await;
        let mut state = self.state();
        let had_ticket = self.ticket.is_some() || state.issue != Issue::Nothing;
        if had_ticket && !state.is_sealed {
            state.issue = Issue::Removal;
        }
        state.at = None;
        state.record = Record::default();
        state.changes.clear();
        state.is_sealed = true;
    }
}
