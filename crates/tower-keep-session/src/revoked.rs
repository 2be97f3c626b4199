//! Waiting for the end of a session.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::timeout;
use tower_keep_store::{Stamp, Verdict};

use crate::{
    core::Core,
    manager::{Manager, target},
    place::At,
    record::Found,
};

/// Ready when a session has ended. See [`Session::revoked`](crate::Session::revoked).
///
/// The log says so within a millisecond or two; in case it cannot be heard, and for the session's own time,
/// the store is asked every 15 seconds. A store that does not answer ends nothing.
#[must_use = "futures do nothing unless polled"]
pub struct Revoked {
    wait: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Revoked {
    pub(crate) fn of(core: &Arc<Core>) -> Self {
        let at = core.state().at;
        let manager = core.manager.clone();
        Self {
            wait: Box::pin(async move {
                if let Some(at) = at {
                    until_ended(&manager, at).await;
                }
            }),
        }
    }
}

impl Future for Revoked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.wait.as_mut().poll(cx)
    }
}

impl fmt::Debug for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revoked")
    }
}

async fn until_ended(manager: &Manager, mut at: At) {
    loop {
        let stamp = manager.log().stamp();
        match manager.place.load(&at).await {
            Ok(Found::Nothing | Found::Ended) => return,
            Ok(Found::Moved(digest)) => {
                at = at.sibling(digest);
                continue;
            }
            Ok(Found::Session(..)) | Err(_) => {}
        }
        let _told_or_not = timeout(LOOK_AGAIN, told(manager, stamp, &at)).await;
    }
}

/// Waits until the log says something of a session, or of its user.
async fn told(manager: &Manager, since: Stamp, at: &At) {
    let log = manager.log();
    let mut targets = vec![target(&at.digest)];
    targets.extend(at.owner.map(|owner| target(&owner.digest())));
    loop {
        let generation = log.generation();
        if log.verdict(since, &targets) != Verdict::Valid {
            return;
        }
        log.changed(generation).await;
    }
}

const LOOK_AGAIN: Duration = Duration::from_secs(15);
