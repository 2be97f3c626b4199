//! The user, whom a layer further out has found out.

use std::sync::Once;

use http::Extensions;
use tower_keep_store::Identity;

use super::{Key, Node};

/// Who a request is from, as whoever authenticated it has left it there.
pub(super) fn name(extensions: &Extensions) -> Option<&str> {
    extensions.get::<Identity>().map(Identity::as_str)
}

impl Key {
    /// Says that requests without a user are limited together, if this is a key by user. Once in a process:
    /// some may be without one rightly, but where all are, the layers are in the wrong order.
    pub(crate) fn warn_of_missing_user(&self, policy: &str) {
        if SAID.is_completed() || !self.asks_for_user() {
            return;
        }
        SAID.call_once(|| {
            tracing::warn!(
                policy,
                "no Identity in a request's extensions: all requests without a user share one bucket; \
                 the layer belongs inside the one that authenticates"
            );
        });
    }

    fn asks_for_user(&self) -> bool {
        match &*self.0 {
            Node::User => true,
            Node::And(first, second) | Node::Or(first, second) => {
                first.asks_for_user() || second.asks_for_user()
            }
            _ => false,
        }
    }
}

static SAID: Once = Once::new();
