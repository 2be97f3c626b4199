//! What all sessions of a layer share.

use std::{
    fmt,
    future::Future,
    task::{Context, Waker},
};

use tower_keep_store::{
    InvalidationLog, Key, LookupKind, Mode, Outcome, Store, StoreError, Target, Told,
};

use crate::{
    error::SessionError,
    lifetimes::Lifetimes,
    place::{At, Ended, Place, Replace, Replaced},
    record::{Changes, Found},
    reused::OnReusedTicket,
    stats::{Counters, count},
    ticket::{OWNER, TOKEN},
};

/// The sessions of a store, and how they live.
pub(crate) struct Manager {
    pub(crate) store: Store,
    pub(crate) place: Place,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) counters: Counters,
    /// The digest of the realm's name, if they are in one.
    pub(crate) realm: Option<[u8; 16]>,
    pub(crate) on_reused_ticket: Option<OnReusedTicket>,
}

impl Manager {
    pub(crate) fn new(
        store: Store,
        lifetimes: Lifetimes,
        realm: Option<[u8; 16]>,
        on_reused_ticket: Option<OnReusedTicket>,
    ) -> Self {
        Self {
            place: Place::of(&store),
            store,
            lifetimes,
            counters: Counters::default(),
            realm,
            on_reused_ticket,
        }
    }

    /// The key from which those of a user are made.
    pub(crate) fn owner(&self, user: &str) -> Key {
        let mut key = self.store.personal_key(OWNER);
        if let Some(realm) = &self.realm {
            key.push(realm);
        }
        key.push(user.as_bytes());
        key.finish()
    }

    pub(crate) fn log(&self) -> &InvalidationLog {
        self.store.log()
    }

    /// The key of a token, by its id.
    pub(crate) fn token(&self, id: &str) -> Key {
        let mut key = self.store.personal_key(TOKEN);
        key.push(id.as_bytes());
        key.finish()
    }

    /// Counts a write of which nobody knows what became.
    pub(crate) fn heard<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.as_ref().is_err_and(StoreError::is_timeout) {
            count(&self.counters.unsure);
        }
        result
    }

    /// Finds the session of a request, if it has a ticket, unless its token was revoked. Whoever observes the
    /// store hears of it, if there was a ticket.
    pub(crate) async fn open(
        &self,
        at: Option<At>,
        token: Option<&Key>,
    ) -> Result<Option<(At, Found)>, SessionError> {
        let watch = at.as_ref().and_then(|at| {
            self.store
                .watch(LookupKind::Sessions, "sessions", &at.digest)
        });
        let opened = self.find(at, token).await;
        if let Some(watch) = watch {
            let told = Told::from(outcome(&opened));
            watch.tell(told.origin_calls(0));
        }
        opened
    }

    async fn find(
        &self,
        at: Option<At>,
        token: Option<&Key>,
    ) -> Result<Option<(At, Found)>, SessionError> {
        let loaded = self.place.load(at.as_ref(), token).await?;
        if loaded.is_revoked {
            return Err(SessionError::Revoked);
        }
        Ok(match (at, loaded.found) {
            (None, _) => None,
            (Some(at), Found::Moved(digest)) => {
                let led = self.follow(at.sibling(digest), false).await?;
                Some(match led {
                    // Its ticket led somewhere: it is not one that somebody made up.
                    (at, Found::Nothing) => (at, Found::Ended(None)),
                    led => led,
                })
            }
            (Some(at), found) => Some((at, found)),
        })
    }

    /// Finds a session that was there, wherever rotations have taken it meanwhile.
    pub(crate) async fn load(&self, at: At) -> Result<(At, Found), StoreError> {
        self.follow(at, true).await
    }

    /// Finds a session; where nobody knows yet that it is there, only as long as old tickets lead on.
    async fn follow(&self, mut at: At, is_under_way: bool) -> Result<(At, Found), StoreError> {
        for _ in 0..MOST_MOVES {
            match self.place.load(Some(&at), None).await?.found {
                Found::Moved(digest) => at = at.sibling(digest),
                Found::Ended(Some(digest)) if is_under_way => at = at.sibling(digest),
                found => return Ok((at, found)),
            }
        }
        Ok((at, Found::Ended(None)))
    }

    /// Where a session went that is not there any more, if a rotation took it.
    pub(crate) async fn moved(&self, at: &At) -> Result<Option<At>, StoreError> {
        match self.load(*at).await? {
            (moved, Found::Session(..)) if moved != *at => Ok(Some(moved)),
            _ => Ok(None),
        }
    }

    /// Tells those who wait for it, in whichever process, that a session may have ended. Nobody waits for
    /// that; if it cannot be told now, they find out by asking.
    pub(crate) fn tell(&self, digest: [u8; 16]) {
        let (log, deadline) = (self.log().clone(), self.store.step_deadline());
        let tell = async move {
            let told = log.append(&[target(&digest)], Mode::Hard, deadline).await;
            if let Err(error) = told {
                tracing::debug!(%error, "the end of a session could not be told yet");
            }
        };
        match self.store.server() {
            Some(server) => server.spawn(tell),
            // The embedded log is written when it is asked to be.
            None => drop(std::pin::pin!(tell).poll(&mut Context::from_waker(Waker::noop()))),
        }
    }

    /// Ends a session, wherever a rotation has taken it, and tells those who wait for that.
    pub(crate) async fn end(&self, mut at: At) -> Result<(), SessionError> {
        loop {
            let replace = Replace {
                old: Some(at),
                came: None,
                new: None,
                changes: Changes::new(),
            };
            let ended = self.place.replace(replace, &self.lifetimes).await;
            if self.heard(ended)? != Replaced::Ended {
                break;
            }
            match self.moved(&at).await? {
                Some(next) => at = next,
                None => break,
            }
        }
        self.tell(at.digest);
        Ok(())
    }

    /// Ends the session that a user's list calls so, and tells those who wait for that. False if the one that
    /// asks has ended itself.
    pub(crate) async fn revoke(
        &self,
        owner: &Key,
        id: [u8; 16],
        asks: Option<&At>,
    ) -> Result<bool, SessionError> {
        let ended = self.place.revoke(owner, id, asks).await;
        let ended = self.heard(ended)?;
        if let Ended::Now(digest) = ended {
            self.tell(digest);
        }
        Ok(ended != Ended::Refused)
    }

    /// Ends all sessions of a user, or all but the one that asks, and tells those who wait for that. False if
    /// that one has ended itself.
    pub(crate) async fn end_all(
        &self,
        owner: &Key,
        asks: Option<&At>,
        keeps: bool,
    ) -> Result<bool, SessionError> {
        let is_done = self.place.end_all(owner, asks, keeps).await;
        let is_done = self.heard(is_done)?;
        if is_done {
            self.tell(owner.digest());
        }
        Ok(is_done)
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

/// What became of a lookup: there is no origin to find what is not there.
fn outcome(opened: &Result<Option<(At, Found)>, SessionError>) -> Outcome {
    match opened {
        Ok(Some((_, Found::Session(..)))) => Outcome::Hit,
        Ok(_) => Outcome::Miss,
        Err(SessionError::Revoked) => Outcome::Rejected,
        Err(_) => Outcome::Error,
    }
}

/// What the log calls a session, or a user: one of a thousand names. Whoever waits looks again when another
/// of the same name ends; and ends, which anybody can bring about, push nothing out of the log that others
/// depend on.
pub(crate) fn target(digest: &[u8; 16]) -> Target {
    Target::new("session", &[digest[0], digest[1] & 3])
}

/// Rotations that are followed, one after the other: more than there can be, but for a store that lies.
const MOST_MOVES: usize = 1000;
