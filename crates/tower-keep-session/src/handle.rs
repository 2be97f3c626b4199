//! The way from a request to its session.

use std::{fmt, marker::PhantomData, sync::Arc};

use http::Extensions;
use tower_keep_store::Identity;

use crate::{
    core::Core,
    error::SessionError,
    session::{Map, Session},
};

/// Leads to the session of a request. Costs nothing until it is used.
///
/// [`SessionLayer`](crate::SessionLayer) leaves it in the request's extensions. With the feature `axum`,
/// [`Session`] is an extractor, and this is not needed.
#[derive(Clone)]
pub struct SessionHandle {
    core: Arc<Core>,
}

impl SessionHandle {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The one in the extensions of a request.
    ///
    /// # Errors
    ///
    /// [`SessionError::NoLayer`]: there is none.
    pub fn of(extensions: &Extensions) -> Result<Self, SessionError> {
        extensions.get().cloned().ok_or(SessionError::NoLayer)
    }

    /// Whether there is anything to look up: a ticket, or a token.
    pub(crate) fn has_ticket(&self) -> bool {
        self.core.has_ticket()
    }

    /// Who is logged in. If somebody is, the response may be personal: whoever is told may use it.
    pub(crate) async fn identity(&self) -> Result<Option<Identity>, SessionError> {
        self.core.look().await?;
        let user = self.core.state().record.meta.user.clone();
        if user.is_some() {
            self.core.identify();
        }
        Ok(user.as_deref().map(Identity::new))
    }

    /// Loads the session: one round trip for the first that asks, none afterwards. A client without one has
    /// an empty session, of which nothing is stored before something is put into it.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`]: the store did not answer, and the layer does not
    /// [allow](crate::SessionLayer::allow_anonymous_on_failure) to go on without.
    pub async fn load(&self) -> Result<Session, SessionError> {
        self.load_as().await
    }

    /// The same, as a session of one type.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub async fn load_as<T>(&self) -> Result<Session<T>, SessionError> {
        self.core.load().await?;
        Ok(Session {
            core: self.core.clone(),
            of: PhantomData,
        })
    }
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionHandle")
    }
}

const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<SessionHandle>();
    is_send_and_sync::<Session<Map>>();
};
