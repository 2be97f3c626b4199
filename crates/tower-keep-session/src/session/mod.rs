//! The session, as handlers see it.

use std::{fmt, marker::PhantomData, sync::Arc, time::SystemTime};

use tower_keep_store::{Key, Timestamp};

use crate::{
    core::Core, device::Device, error::SessionError, login::Login, place::At, revoked::Revoked,
};

mod typed;
mod values;

/// A session without a type of its own: named values.
#[derive(Debug)]
pub enum Map {}

/// The session of one client, loaded.
///
/// Reading waits for nobody. What [`set`](Self::set), [`remove`](Self::remove) and
/// [`modify`](Session::modify) change is told to the store once the response is there, before its client sees
/// it: only what was changed, in one step, and only if the session is still there. A response of 5xx (or none)
/// changes nothing. What is `async` is done when it returns.
///
/// With the feature `axum`, `Session` and `Option<Session>` are extractors (without it, axum says of a handler that asks
/// for one only that `Handler<_, _>` is not satisfied). The first is there for every client,
/// empty if nothing is stored: whether somebody is logged in, [`user`](Self::user) says. The second is `None` for a
/// client of whom nothing is stored. Both are a 500 where no layer stands around the handler.
///
/// Clones share everything. Two requests at the same time have two views of one session; neither loses what
/// the other wrote to other fields.
pub struct Session<T = Map> {
    pub(crate) core: Arc<Core>,
    pub(crate) of: PhantomData<fn() -> T>,
}

impl<T> Session<T> {
    /// Who is logged in.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        self.core.state().record.meta.user.clone()
    }

    /// How surely, as [`login`](Self::login) said; 0 if nobody is.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.core.state().record.meta.level
    }

    /// When it began; nothing if nothing is stored of it.
    #[must_use]
    pub fn created(&self) -> Option<SystemTime> {
        let created = self.core.state().record.meta.created;
        let created = Timestamp::from_micros(created.saturating_mul(1000));
        self.is_stored().then(|| created.into())
    }

    /// Whether it can only be read, because the store failed when it was loaded.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.core.state().is_read_only
    }

    /// Logs a user in, or the same one in again with more certainty: `level` says how surely, on the
    /// application's own scale (1 for a password, 2 with a second factor, say), and is only handed back, as
    /// [`level`](Self::level). The session goes on under a new ticket,
    /// with all its values (unless they were another user's: those are gone); the old one is of no use any
    /// more, so that whoever planted or saw it has nothing. Its time begins anew. The cookie of a new session outlives
    /// the browser: a form with a box "remember me" goes to [`login_with`](Self::login_with).
    ///
    /// A session of this user that ended while the request was under way is not brought back: whoever ends all of
    /// them on purpose, and goes on here, calls [`logout_everywhere`](Self::logout_everywhere) or
    /// [`logout`](Self::logout) first.
    ///
    /// # Errors
    ///
    /// The user has too many sessions, the session can only be read or was this user's and has ended meanwhile,
    /// the response is under way already, or the store failed.
    pub async fn login(&self, user: impl Into<String>, level: u8) -> Result<(), SessionError> {
        self.login_with(Login::new(user, level)).await
    }

    /// The same, with a choice of how long: "remember me", say.
    ///
    /// ```
    /// # use tower_keep_session::{Login, Session, SessionError};
    /// # async fn login(session: Session, is_checked: bool) -> Result<(), SessionError> {
    /// session.login_with(Login::new("ada", 1).remember(is_checked)).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`login`](Self::login).
    pub async fn login_with(&self, login: Login) -> Result<(), SessionError> {
        self.core.login(login).await
    }

    /// Takes all values away, and leaves the login as it is. It is noted, as what [`modify`](Session::modify) changes
    /// is: what other requests add meanwhile stays.
    ///
    /// # Errors
    ///
    /// The session can only be read.
    pub fn clear(&self) -> Result<(), SessionError> {
        self.core.clear()
    }

    /// Ends the session, here and for all requests under way: none of them can bring it back. The client is
    /// told to forget its ticket.
    ///
    /// # Errors
    ///
    /// The store failed: the session may go on.
    pub async fn logout(&self) -> Result<(), SessionError> {
        self.core.end().await
    }

    /// Ends the session with all that is in it, whether or not anybody is logged in: what
    /// [`logout`](Self::logout) does, by the name it has where there are no users.
    ///
    /// # Errors
    ///
    /// As for [`logout`](Self::logout).
    pub async fn flush(&self) -> Result<(), SessionError> {
        self.core.end().await
    }

    /// Gives the session a new ticket. The old one leads to it until somebody comes with the new one (a client
    /// that was never told it loses nothing), and for some more
    /// [seconds](crate::SessionLayerBuilder::rotation_grace), for requests that were sent before; after that its use
    /// is [counted](crate::SessionStats::reused) as a sign of theft, and
    /// [told](crate::SessionLayerBuilder::on_reused_ticket).
    ///
    /// # Errors
    ///
    /// There is no session or it has ended, it can only be read, the response is under way already, or the store
    /// failed.
    pub async fn rotate(&self) -> Result<(), SessionError> {
        if !self.is_stored() {
            return Err(SessionError::Ended);
        }
        self.core.rotate().await
    }

    /// The sessions of the user who is logged in, the oldest first. A page names each by its
    /// [id](crate::Device::id); what comes back is looked up here, as only the user's own can be ended then:
    ///
    /// ```
    /// # use tower_keep_session::{Session, SessionError};
    /// async fn log_out_device(session: Session, id: &str) -> Result<(), SessionError> {
    ///     match session.list().await?.iter().find(|device| device.id() == id) {
    ///         Some(device) => session.revoke(device).await,
    ///         None => Ok(()),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Nobody is logged in, the session has ended itself, or the store failed.
    pub async fn list(&self) -> Result<Vec<Device>, SessionError> {
        let (mut at, owner) = self.of_user()?;
        loop {
            let listed = self.core.manager.place.list(&owner, Some(&at)).await?;
            if let Some(listed) = listed {
                return Ok(Device::all(listed, Some(self.id())));
            }
            at = self.core.follow(&at).await?;
        }
    }

    /// Ends another session of the same user, whatever its ticket is by now. Without effect if it has ended. Of the
    /// one that asks, it is a [`logout`](Self::logout).
    ///
    /// # Errors
    ///
    /// Nobody is logged in, the session has ended itself, or the store failed.
    pub async fn revoke(&self, device: &Device) -> Result<(), SessionError> {
        let (mut at, owner) = self.of_user()?;
        if device.id == self.id() {
            return self.logout().await;
        }
        let manager = &self.core.manager;
        while !manager.revoke(&owner, device.id, Some(&at)).await? {
            at = self.core.follow(&at).await?;
        }
        Ok(())
    }

    /// Ends all other sessions of the user, in one step, however many there are.
    ///
    /// # Errors
    ///
    /// Nobody is logged in, the session has ended itself, or the store failed.
    pub async fn revoke_others(&self) -> Result<(), SessionError> {
        self.end_all(true).await
    }

    /// Logs the user out everywhere, here too, in one step.
    ///
    /// # Errors
    ///
    /// Nobody is logged in, the session has ended itself, or the store failed.
    pub async fn logout_everywhere(&self) -> Result<(), SessionError> {
        self.end_all(false).await?;
        self.core.is_over().await;
        Ok(())
    }

    /// Waits until the session has ended: by a logout, wherever, a revocation, or its time. For answers that
    /// go on for long.
    pub fn revoked(&self) -> Revoked {
        Revoked::of(&self.core)
    }

    /// Ends all sessions of the user, or all others, wherever a rotation has taken this one meanwhile.
    async fn end_all(&self, keeps: bool) -> Result<(), SessionError> {
        let (mut at, owner) = self.of_user()?;
        let manager = &self.core.manager;
        while !manager.end_all(&owner, Some(&at), keeps).await? {
            at = self.core.follow(&at).await?;
        }
        Ok(())
    }

    /// Whether there is one in the store.
    pub(crate) fn is_stored(&self) -> bool {
        let state = self.core.state();
        state.at.is_some() && !state.is_sealed
    }

    /// Where it is, and whose.
    fn of_user(&self) -> Result<(At, Key), SessionError> {
        let at = self.core.state().at.ok_or(SessionError::Anonymous)?;
        let owner = at.owner.ok_or(SessionError::Anonymous)?;
        Ok((at, owner))
    }

    /// What its user's list calls it.
    fn id(&self) -> [u8; 16] {
        self.core.state().record.meta.id
    }
}

impl<T> Clone for Session<T> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            of: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.core.state();
        f.debug_struct("Session")
            .field("is_stored", &state.at.is_some())
            .field("level", &state.record.meta.level)
            .field("is_read_only", &state.is_read_only)
            .finish_non_exhaustive()
    }
}
