//! Who a request comes from, for layers further in.

mod future;
mod service;

use tower_layer::Layer;

pub use self::{future::IdentifyFuture, service::Identify};

/// Tells layers further in who is logged in: for limits by user, say.
///
/// It stands inside a [`SessionLayer`](crate::SessionLayer). For a request with a ticket it loads the session
/// before it goes on (the one read that a handler then need not do) and leaves the user's
/// [`Identity`](tower_keep_store::Identity) in the request's extensions. For one without, it does nothing.
///
/// Where the store fails, or a token was revoked, it answers by itself, with the error's
/// [status](crate::SessionError::status); on routes that go on
/// [without a session](crate::SessionLayer::allow_anonymous_on_failure), there is no identity.
///
/// A response does not count as personal because of this. A handler whose answer depends on the user looks at
/// the session, as it would without this layer: then nobody else is given the answer.
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
