//! Whom the clients ask, and as whom.

use std::net::SocketAddr;

/// A server, and how it is asked.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) server: SocketAddr,
    pub(crate) who: Who,
    /// Whether it refuses nearly all; if not, it refuses none.
    pub(crate) is_refused: bool,
}

/// For whom the clients ask.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    /// For nobody in particular.
    Anyone,
    /// Each client for another merchant.
    Each,
    /// All for the same.
    One,
    /// Each client with a cookie of its own.
    Holding(&'static [String]),
}

impl Asked {
    pub(crate) fn of(server: SocketAddr) -> Self {
        Self {
            server,
            who: Who::Anyone,
            is_refused: false,
        }
    }

    /// Each client asks for another merchant.
    pub(crate) fn by_each(self) -> Self {
        Self {
            who: Who::Each,
            ..self
        }
    }

    /// All clients ask for the same merchant.
    pub(crate) fn by_one(self) -> Self {
        Self {
            who: Who::One,
            ..self
        }
    }

    /// Each client comes with its cookie.
    pub(crate) fn with(self, cookies: &'static [String]) -> Self {
        Self {
            who: Who::Holding(cookies),
            ..self
        }
    }

    /// The same, and nearly all are refused.
    pub(crate) fn refused(self) -> Self {
        Self {
            who: Who::One,
            is_refused: true,
            ..self
        }
    }
}
