//! The sessions of any user, from outside of a request.

use std::{sync::Arc, time::SystemTime};

use tower_keep_store::Timestamp;

use crate::{device::Device, error::SessionError, manager::Manager};

/// Looks at the sessions of users, and ends them: for administrators, and for changes of a password.
#[derive(Clone, Debug)]
pub struct Sessions {
    manager: Arc<Manager>,
}

impl Sessions {
    pub(crate) fn new(manager: Arc<Manager>) -> Self {
        Self { manager }
    }

    /// A user's sessions, the oldest first.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn list(&self, user: &str) -> Result<Vec<Device>, SessionError> {
        let owner = self.manager.owner(user);
        let listed = self.manager.place.list(&owner, None).await?;
        Ok(Device::all(listed.unwrap_or_default(), None))
    }

    /// Ends one of a user's sessions. Without effect if it has ended.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn revoke(&self, user: &str, device: &Device) -> Result<(), SessionError> {
        let owner = self.manager.owner(user);
        self.manager.revoke(&owner, device.id, None).await.map(drop)
    }

    /// Ends all of a user's sessions, in one step, however many there are.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn revoke_all(&self, user: &str) -> Result<(), SessionError> {
        let owner = self.manager.owner(user);
        self.manager.end_all(&owner, None, false).await.map(drop)
    }

    /// Ends a token of this id (see [`token_id`](crate::SessionLayerBuilder::token_id)) before its time. It is
    /// remembered until the token would end by itself, and the
    /// [leeway](crate::SessionLayerBuilder::token_leeway) longer; for 7 days where nobody knows when that is.
    ///
    /// # Errors
    ///
    /// The store failed: the token may still be good.
    pub async fn revoke_token(
        &self,
        id: &str,
        ends: Option<SystemTime>,
    ) -> Result<(), SessionError> {
        let manager = &self.manager;
        let now = manager.store.clock().now();
        let lives = manager
            .lifetimes
            .token_millis(ends.map(Timestamp::from), now);
        if lives == 0 {
            // It is over by itself.
            return Ok(());
        }
        let token = manager.token(id);
        Ok(manager.place.revoke_token(&token, lives).await?)
    }

    /// Whether a token of this id was revoked, for those that come without a session. Refuse the token if this
    /// fails.
    ///
    /// # Errors
    ///
    /// The store failed: it is not known.
    pub async fn is_token_revoked(&self, id: &str) -> Result<bool, SessionError> {
        let token = self.manager.token(id);
        Ok(self
            .manager
            .place
            .load(None, Some(&token))
            .await?
            .is_revoked)
    }
}
