//! Contending for a lease, and waiting for who has it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::{Instant, timeout_at};
use tower_keep_store::Subscription;

use super::{
    Ending, Lease, Leases, Names, Seen,
    script::{self, Asked},
};

/// One who leads in his process, and would fetch if nobody else does.
pub(crate) struct Contest {
    leases: Arc<Leases>,
    names: Names,
    lease: Duration,
    seen: Seen,
    heard: Option<Subscription>,
    /// When it has taken too long.
    end: Instant,
    asked: u32,
}

/// How it goes on.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Fetch, for all if there is a lease; without one the store could not be asked, or it takes too long.
    Fetch(Option<Lease>),
    /// Another one is in the store: look at it, and [say](Contest::saw) what it was if it is of no use.
    Look,
    /// What the other fetched was not for others: all who wait go on alone.
    Released,
    /// The same, and so it will be for a while.
    Unshared,
}

impl Contest {
    pub(in crate::engine) fn new(
        leases: Arc<Leases>,
        names: Names,
        lease: Duration,
        seen: Seen,
    ) -> Self {
        leases.prepare();
        Self {
            end: Instant::now() + leases.patience,
            leases,
            names,
            lease,
            seen,
            heard: None,
            asked: 0,
        }
    }

    /// The entry is this now, and of no use.
    pub(crate) fn saw(&mut self, seen: Seen) {
        self.seen = seen;
    }

    /// Whether that would be another one.
    pub(crate) fn would_see(&self, seen: Seen) -> bool {
        self.seen != seen
    }

    /// Asks once. Nothing means that another fetches.
    pub(crate) async fn try_once(&mut self) -> Option<Turn> {
        self.ask().await.ok()
    }

    /// Asks, and waits while another fetches.
    pub(crate) async fn turn(&mut self) -> Turn {
        loop {
            if let Some(turn) = self.turn_within(None).await {
                return turn;
            }
        }
    }

    /// The same, but waits for another not longer than this; then nothing.
    pub(crate) async fn turn_within(&mut self, most: Option<Duration>) -> Option<Turn> {
        let mut end = None;
        loop {
            let left = match self.ask().await {
                Ok(turn) => return Some(turn),
                Err(left) => left,
            };
            // Only from here on: what asking takes is not the other's time.
            let now = Instant::now();
            let end = *end.get_or_insert_with(|| most.and_then(|most| now.checked_add(most)));
            if end.is_some_and(|end| end <= now) {
                return None;
            }
            if self.heard.is_none() {
                let channel = self.leases.store.subscribe(&self.names.lease).await;
                let Ok(channel) = channel else {
                    return Some(Turn::Fetch(None));
                };
                // Asked once more, no end is missed.
                self.heard = Some(channel);
                self.leases.awaited.fetch_add(1, Ordering::Relaxed);
            } else {
                let wait = self.wait(left);
                let waited = match end {
                    Some(end) => timeout_at(end, wait).await.ok()?,
                    None => wait.await,
                };
                if waited.is_some() {
                    return waited;
                }
            }
        }
    }

    /// Asks the server; what another has left of the lease, if it has.
    async fn ask(&mut self) -> Result<Turn, Duration> {
        self.asked += 1;
        // While the log is not known, nothing that another fetches can be used here.
        let is_blind = !self.leases.store.log().is_current();
        if is_blind || self.asked > MOST_ASKED || Instant::now() >= self.end {
            return Ok(Turn::Fetch(None));
        }
        let Some(lease) = Lease::asked(self.leases.clone(), self.names) else {
            return Ok(Turn::Fetch(None));
        };
        let asked = script::ask(
            &self.leases.server,
            self.names,
            lease.token,
            self.lease,
            &self.seen,
            self.leases.deadline(),
        );
        let asked = match asked.await {
            Ok(Asked::Granted) => return Ok(Turn::Fetch(Some(lease.granted(self.lease)))),
            // The lease, dropped, is given back: it may have been granted all the same.
            Err(_) => return Ok(Turn::Fetch(None)),
            Ok(asked) => asked,
        };
        lease.refused();
        match asked {
            Asked::Changed | Asked::Granted => Ok(Turn::Look),
            Asked::Held(left) => Err(left),
            Asked::Ended(Ending::Unshared) => Ok(Turn::Unshared),
            Asked::Ended(Ending::Released) => Ok(Turn::Released),
            Asked::Ended(_) => Ok(Turn::Fetch(None)),
        }
    }

    /// Waits for the end of the other's lease; nothing means: ask again.
    async fn wait(&mut self, left: Duration) -> Option<Turn> {
        let channel = self.heard.as_mut()?;
        let runs_out = Instant::now() + left.min(LONGEST_LEASE) + A_LITTLE_LATER;
        let heard = timeout_at(runs_out.min(self.end), channel.next());
        match heard.await {
            // It ran out, or they have no more patience with it.
            Err(_) => None,
            Ok(None) => {
                self.heard = None;
                None
            }
            Ok(Some(said)) => match Ending::of(*said.first()?)? {
                Ending::Landed => Some(Turn::Look),
                Ending::Abandoned => None,
                Ending::Released => Some(Turn::Released),
                Ending::Unshared => Some(Turn::Unshared),
                Ending::Failed | Ending::Apart => Some(Turn::Fetch(None)),
            },
        }
    }
}

/// How often one asks before it goes on alone: owners may go one after another.
const MOST_ASKED: u32 = 64;

/// A foreign record must not be waited for until the clock overflows.
const LONGEST_LEASE: Duration = Duration::from_secs(3600);

/// The server counts in whole milliseconds.
const A_LITTLE_LATER: Duration = Duration::from_millis(2);
