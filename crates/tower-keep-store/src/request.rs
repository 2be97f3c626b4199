//! What layers tell each other about a request, in its extensions.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

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

/// Whether a response depends on who asked for it, told by whoever looks that up (a session, say).
///
/// It travels in the extensions of the request, because that is all that a handler has when it looks, and in
/// those of the response. A cache stores no response whose cell is marked, and shares it with nobody. Where it
/// is only known who asks, it does so unless the handler itself says that this makes no difference.
#[derive(Clone, Debug, Default)]
pub struct PersonalCell(Arc<AtomicU8>);

impl PersonalCell {
    /// The response depends on who asks.
    pub fn mark(&self) {
        self.0.fetch_max(MARKED, Ordering::AcqRel);
    }

    /// Whether it was said to.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.0.load(Ordering::Acquire) == MARKED
    }

    /// The handler is told who asks: the response may depend on that.
    pub fn mark_identified(&self) {
        self.0.fetch_max(IDENTIFIED, Ordering::AcqRel);
    }

    /// Whether it was said to depend on who asks, or that it may.
    #[must_use]
    pub fn is_identified(&self) -> bool {
        self.0.load(Ordering::Acquire) >= IDENTIFIED
    }
}

const IDENTIFIED: u8 = 1;
const MARKED: u8 = 2;
