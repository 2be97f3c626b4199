//! Who a request comes from, for layers further in.

mod future;
mod service;

use tower_layer::Layer;

pub use self::{future::IdentifyFuture, service::Identify};

/// Tells layers further in who is logged in: for limits by user, say. **Around a cache it ends the sharing of pages
/// between users, `public` or not, unless their handlers name a class that allows cookies**; see below.
///
/// It stands inside a [`SessionLayer`](crate::SessionLayer). For a request with a ticket it loads the session
/// before it goes on (the one read that a handler then need not do) and leaves the user's
/// [`Identity`](tower_keep_store::Identity) in the request's extensions. For one without, it does nothing.
///
/// Where the store fails, or a token was revoked, it answers by itself, with the error's
/// [status](crate::SessionError::status); on routes that go on
/// [without a session](crate::SessionLayer::allow_anonymous_on_failure), there is no identity.
///
/// A response to a user may be personal because of this: a handler that is told may use it, and nobody can tell.
/// So a cache stores nothing of what users are answered, whatever its fields say, unless it stands inside and the
/// handler says that this answer does not depend on who asks: by a
/// `CacheDirective` that names a class which allows cookies. A handler that looks at the session cannot say so.
/// What is answered to those who are not logged in is stored for all, as ever: a handler that answers users
/// differently under the same address looks at the session for everybody.
///
/// Needs an inner service that is `Clone`; the instance that was readied is the one that is called.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdentifyLayer {
    _private: (),
}

impl IdentifyLayer {
    /// The layer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for IdentifyLayer {
    type Service = Identify<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Identify::new(inner)
    }
}
