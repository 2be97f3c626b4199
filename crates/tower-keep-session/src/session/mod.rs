//! The session, as handlers see it.

use std::{fmt, marker::PhantomData, sync::Arc, time::SystemTime};

use tower_keep_store::Timestamp;

use crate::{
    core::Core,
    device::Device,
    error::SessionError,
    place::{At, Beginning},
    revoked::Revoked,
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
        let state = self.core.state();
        let created = Timestamp::from_micros(state.record.meta.created.saturating_mul(1000));
        state.at.map(|_| created.into())
    }

    /// Whether it can only be read, because the store failed when it was loaded.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.core.state().is_read_only
    }

    /// Logs a user in, or the same one in again with more certainty. The session goes on under a new ticket,
    /// with all its values (unless they were another user's: those are gone); the old one is of no use any
    /// more, so that whoever planted or saw it has nothing. Its time begins anew.
    ///
    /// # Errors
    ///
    /// The user has too many sessions, the session can only be read, or the store failed.
    pub async fn login(&self, user: impl Into<String>, level: u8) -> Result<(), SessionError> {
        let user = user.into();
        self.core.replace(Beginning::Login { user, level }).await
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

    /// Gives the session a new ticket. The old one leads to it for some more seconds, for requests that are
    /// under way; after that its use is counted as a [sign of theft](crate::SessionStats::ended).
    ///
    /// # Errors
    ///
    /// There is no session or it has ended, it can only be read, or the store failed.
    pub async fn rotate(&self) -> Result<(), SessionError> {
        if self.core.state().at.is_none() {
            return Err(SessionError::Ended);
        }
        self.core.replace(Beginning::Rotated).await
    }

    /// The sessions of the user who is logged in, the oldest first.
    ///
    /// # Errors
    ///
    /// Nobody is logged in, or the store failed.
    pub async fn list(&self) -> Result<Vec<Device>, SessionError> {
        let at = self.of_user()?;
        let manager = &self.core.manager;
        let owner = at.owner.ok_or(SessionError::Anonymous)?;
        let listed = manager.place.list(&owner).await?;
        Ok(Device::all(listed, Some(at.digest)))
    }

    /// Ends another session of the same user. Without effect if it has ended.
    ///
    /// # Errors
    ///
    /// Nobody is logged in, or the store failed.
    pub async fn revoke(&self, device: &Device) -> Result<(), SessionError> {
        let at = self.of_user()?;
        if device.digest == at.digest {
            return self.logout().await;
        }
        let owner = at.owner.ok_or(SessionError::Anonymous)?;
        let at = At::of_owner(&owner, device.digest);
        self.core.manager.end(at).await
    }

    /// Ends all other sessions of the user, in one step, however many there are.
    ///
    /// # Errors
    ///
    /// Nobody is logged in, the session has ended itself, or the store failed.
    pub async fn revoke_others(&self) -> Result<(), SessionError> {
        let at = self.of_user()?;
        let owner = at.owner.ok_or(SessionError::Anonymous)?;
        if self.core.manager.end_all(&owner, Some(&at)).await? {
            Ok(())
        } else {
            Err(SessionError::Ended)
        }
    }

    /// Logs the user out everywhere, here too, in one step.
    ///
    /// # Errors
    ///
    /// Nobody is logged in, or the store failed.
    pub async fn logout_everywhere(&self) -> Result<(), SessionError> {
        let at = self.of_user()?;
        let owner = at.owner.ok_or(SessionError::Anonymous)?;
        self.core.manager.end_all(&owner, None).await?;
        self.core.is_over().await;
        Ok(())
    }

    /// Waits until the session has ended: by a logout, wherever, a revocation, or its time. For answers that
    /// go on for long.
    pub fn revoked(&self) -> Revoked {
        Revoked::of(&self.core)
    }

    fn of_user(&self) -> Result<At, SessionError> {
        let state = self.core.state();
        let at = state.at.ok_or(SessionError::Anonymous)?;
        match at.owner {
            Some(_) => Ok(at),
            None => Err(SessionError::Anonymous),
        }
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
