//! What layers tell each other about a request, in its extensions.

use std::{fmt, net::SocketAddr, sync::Arc};

/// Who a request comes from, as a session or another layer that authenticates has found out.
///
/// A layer that authenticates puts it into the request's extensions; layers further in that count or keep
/// something per user read it there. Never put a name there that the client merely claims.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity(Arc<str>);

impl Identity {
    /// The user of this name or number.
    #[must_use]
    pub fn new(user: impl Into<Arc<str>>) -> Self {
        Self(user.into())
    }

    /// The user's name or number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// The other end of the connection on which a request came.
///
/// A server that knows it puts it into the request's extensions: with hyper, in the function that serves a
/// connection. (Servers of axum and tonic have a type of their own for it; layers that need the address
/// read those too, with the feature of that name.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddr(pub SocketAddr);
