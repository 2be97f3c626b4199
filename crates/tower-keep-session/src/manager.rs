//! What all sessions of a layer share.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use tower_keep_store::{InvalidationLog, Key, Mode, Store, Target};

use crate::{
    error::SessionError,
    lifetimes::Lifetimes,
    place::{At, Place, Replace},
    record::Changes,
    ticket::OWNER,
};

/// The sessions of a store, and how they live.
pub(crate) struct Manager {
    pub(crate) store: Store,
    pub(crate) place: Place,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) counters: Counters,
}

/// What was seen that need not be.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Requests with two different session cookies.
    pub(crate) ambiguous: AtomicU64,
    /// Requests with a ticket whose session had ended.
    pub(crate) ended: AtomicU64,
    /// Changes that came too late.
    pub(crate) late: AtomicU64,
}

/// What a layer has seen that need not be, since it was made, in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStats {
    /// Requests with two different session cookies: refused, and taken for none.
    pub ambiguous: u64,
    /// Requests with the ticket of a session that had just ended. A few come from requests that were under
    /// way; many are a sign of theft.
    pub ended: u64,
    /// Changes that were not applied because the session had ended meanwhile.
    pub late: u64,
}

impl Manager {
    pub(crate) fn new(store: Store, lifetimes: Lifetimes) -> Self {
        Self {
            place: Place::of(&store),
            store,
            lifetimes,
            counters: Counters::default(),
        }
    }

    /// The key from which those of a user are made.
    pub(crate) fn owner(&self, user: &str) -> Key {
        let mut key = self.store.personal_key(OWNER);
        key.push(user.as_bytes());
        key.finish()
    }

    pub(crate) fn now_millis(&self) -> u64 {
        self.store.clock().now().as_micros() / 1000
    }

    pub(crate) fn log(&self) -> &InvalidationLog {
        self.store.log()
    }

    /// Tells those who wait for it, in whichever process, that a session may have ended. If that cannot be
    /// told now, they find out by asking.
    pub(crate) async fn tell(&self, digest: [u8; 16]) {
        let deadline = self.store.step_deadline();
        let ended = [target(&digest)];
        let told = self.log().append(&ended, Mode::Hard, deadline).await;
        if let Err(error) = told {
            tracing::debug!(%error, "the end of a session could not be told yet");
        }
    }

    /// Ends a session, and tells those who wait for that.
    pub(crate) async fn end(&self, at: At) -> Result<(), SessionError> {
        let replace = Replace {
            old: Some(at),
            needs_old: false,
            new: None,
            changes: Changes::new(),
        };
        self.place.replace(replace, &self.lifetimes).await?;
        self.tell(at.digest).await;
        Ok(())
    }

    /// Ends all sessions of a user but the one at `keep`, and tells those who wait for that. False if that one
    /// has ended itself.
    pub(crate) async fn end_all(
        &self,
        owner: &Key,
        keep: Option<&At>,
    ) -> Result<bool, SessionError> {
        let is_done = self.place.end_all(owner, keep, &self.lifetimes).await?;
        if is_done {
            self.tell(owner.digest()).await;
        }
        Ok(is_done)
    }

    pub(crate) fn stats(&self) -> SessionStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SessionStats {
            ambiguous: get(&self.counters.ambiguous),
            ended: get(&self.counters.ended),
            late: get(&self.counters.late),
        }
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("store", &self.store)
            .field("lifetimes", &self.lifetimes)
            .finish_non_exhaustive()
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// What the log calls a session, or a user.
pub(crate) fn target(digest: &[u8; 16]) -> Target {
    Target::new("session", digest)
}
