//! The layer and its options.

use std::{fmt, sync::Arc};

use http::request::Parts;
use tower_keep_store::Store;
use tower_layer::Layer;

use crate::{
    builder::SessionLayerBuilder, label::Labels, manager::Manager, service::SessionManager,
    sessions::Sessions, stats::SessionStats, transport::Transport,
};

/// Gives each request the session of its client. See the [crate documentation](crate).
///
/// Clones, and the services that they make, share everything. Layers on one store share sessions and users, unless
/// they are of different [realms](SessionLayerBuilder::realm).
#[derive(Clone, Debug)]
pub struct SessionLayer {
    pub(crate) shared: Arc<Shared>,
}

/// What the services of a layer share.
pub(crate) struct Shared {
    pub(crate) manager: Arc<Manager>,
    pub(crate) transports: Arc<[Transport]>,
    pub(crate) labels: Labels,
    pub(crate) token_id: Option<TokenId>,
    /// Goes on without a session, which can then only be read, where the store fails.
    pub(crate) reads_on_failure: bool,
}

pub(crate) type TokenId = Arc<dyn Fn(&Parts) -> Option<String> + Send + Sync>;

impl SessionLayer {
    /// The safe preset: a `__Host-` cookie, sessions that end after 24 hours without a request and after 30
    /// days in any case.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let layer = Self::builder(store).build();
        layer.expect("the preset makes sense")
    }

    /// Options first, then [`build`](SessionLayerBuilder::build).
    pub fn builder(store: Store) -> SessionLayerBuilder {
        SessionLayerBuilder::new(store)
    }

    /// The same sessions for a route that goes on without one where the store fails: the client is then
    /// anonymous, and nothing can be written. Default: whoever looks at the session is answered 503.
    #[must_use]
    pub fn allow_anonymous_on_failure(&self) -> Self {
        Self {
            shared: Arc::new(Shared {
                manager: self.shared.manager.clone(),
                transports: self.shared.transports.clone(),
                labels: self.shared.labels.clone(),
                token_id: self.shared.token_id.clone(),
                reads_on_failure: true,
            }),
        }
    }

    /// The sessions of any user, from outside.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        Sessions::new(self.shared.manager.clone())
    }

    /// What was seen that need not be.
    #[must_use]
    pub fn stats(&self) -> SessionStats {
        self.shared.manager.counters.stats()
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionManager<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionManager::new(inner, self.shared.clone())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("manager", &self.manager)
            .field("transports", &self.transports)
            .field("reads_on_failure", &self.reads_on_failure)
            .finish_non_exhaustive()
    }
}
