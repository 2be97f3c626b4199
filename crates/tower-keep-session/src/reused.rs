//! Tickets that come again after they were replaced.

use std::{fmt, sync::Arc};

use crate::{
    error::SessionError,
    manager::Manager,
    place::At,
    record::{Found, Record},
};

/// The ticket that a rotation replaced came again, after its grace. It was of no use: but its client has had a new
/// one for long, so that one of the two is not the client. See
/// [`on_reused_ticket`](crate::SessionLayerBuilder::on_reused_ticket).
pub struct ReusedTicket {
    manager: Arc<Manager>,
    at: At,
    user: Option<String>,
}

pub(crate) type OnReusedTicket = Arc<dyn Fn(ReusedTicket) + Send + Sync>;

impl ReusedTicket {
    /// Finds the session to which it led; `at` is where it says.
    pub(crate) async fn find(manager: &Arc<Manager>, at: At) -> Self {
        let found = manager.load(at).await;
        let (at, user) = match found {
            Ok((at, Found::Session(Record { meta, .. }, _))) => (at, meta.user),
            // It is known all the same that somebody has an old ticket.
            _ => (at, None),
        };
        Self {
            manager: manager.clone(),
            at,
            user,
        }
    }

    /// Whose session it led to; nothing if it was nobody's, has ended, or the store did not say.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Ends the session to which it led, whoever has its ticket by now, as OAuth does it (RFC 9700 §4.14.2). Without
    /// effect if it has ended.
    ///
    /// # Errors
    ///
    /// The store failed: the session may go on.
    pub async fn end_session(&self) -> Result<(), SessionError> {
        self.manager.end(self.at).await
    }
}

impl fmt::Debug for ReusedTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReusedTicket")
    }
}
