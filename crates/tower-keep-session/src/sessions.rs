//! The sessions of any user, from outside of a request.

use std::sync::Arc;

use crate::{device::Device, error::SessionError, manager::Manager, place::At};

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
        let listed = self.manager.place.list(&owner).await?;
        Ok(Device::all(listed, None))
    }

    /// Ends one of a user's sessions. Without effect if it has ended.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn revoke(&self, user: &str, device: &Device) -> Result<(), SessionError> {
        let owner = self.manager.owner(user);
        self.manager.end(At::of_owner(&owner, device.digest)).await
    }

    /// Ends all of a user's sessions, in one step, however many there are.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn revoke_all(&self, user: &str) -> Result<(), SessionError> {
        let owner = self.manager.owner(user);
        self.manager.end_all(&owner, None).await.map(drop)
    }
}
