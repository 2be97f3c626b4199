//! Waiting for the end of a session.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{sleep, timeout};
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
/// the store is asked every 15 seconds. A store that does not answer ends nothing. Where there is no session
/// there is nothing to wait for: it is ready at once.
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
    let mut in_vain = 0;
    loop {
        let stamp = manager.log().stamp();
        match manager.load(at).await {
            Ok((moved, Found::Session(..))) => at = moved,
            Ok(_) => return,
            Err(_) => {
                sleep(PAUSE).await;
                continue;
            }
        }
        let has_waited = timeout(LOOK_AGAIN, told(manager, stamp, &at)).await;
        in_vain = if has_waited.unwrap_or(true) {
            0
        } else {
            in_vain + 1
        };
        // A log that cannot be read says so at once, again and again.
        if in_vain > 1 {
            sleep(PAUSE).await;
        }
    }
}

/// Waits until the log says something of a session, or of its user. Whether it had to wait.
async fn told(manager: &Manager, since: Stamp, at: &At) -> bool {
    let log = manager.log();
    let mut targets = vec![target(&at.digest)];
    targets.extend(at.owner.map(|owner| target(&owner.digest())));
    let mut has_waited = false;
    loop {
        let generation = log.generation();
        if log.verdict(since, &targets) != Verdict::Valid {
            return has_waited;
        }
        log.changed(generation).await;
        has_waited = true;
    }
}

/// Before the store is asked again that just failed.
const PAUSE: Duration = Duration::from_secs(1);

const LOOK_AGAIN: Duration = Duration::from_secs(15);
