//! Who stays signed in, how and for how long: all in one place.

use std::time::Duration;

use tower_keep::{
    SessionLayer, Store,
    session::{ConfigError, SessionCookie, Transport},
};

use crate::error::StartError;

/// How browsers stay signed in.
#[derive(Clone, Copy, Debug)]
pub struct Sessions {
    /// How long a session lives after its last request.
    pub idle: Duration,
    /// Whether the cookie travels over plain HTTP too. Browsers and curl take `http://localhost` and
    /// `http://127.0.0.1` for secure; any other address without TLS needs this.
    pub insecure_cookies: bool,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(24 * 3600),
            insecure_cookies: false,
        }
    }
}

/// The same sessions twice: for all requests, and for those that ask for a token.
#[derive(Debug)]
pub(crate) struct Layers {
    /// Knows browsers by their cookie and programs by their token.
    pub(crate) all: SessionLayer,
    /// Tells the ticket in `Session-Ticket` instead of a cookie.
    pub(crate) tokens: SessionLayer,
}

/// Builds the layers. A token is a session like any other: its store holds a digest only, it is listed among
/// the devices, and whoever revokes it there ends it at once.
pub(crate) fn build(store: &Store, sessions: Sessions) -> Result<Layers, StartError> {
    layers(store, sessions)
        .map_err(|error| StartError::because("the sessions cannot be set up", error))
}

fn layers(store: &Store, sessions: Sessions) -> Result<Layers, ConfigError> {
    let builder = || SessionLayer::builder(store.clone()).idle_timeout(sessions.idle);
    Ok(Layers {
        all: builder()
            .transport(Transport::Cookie(cookie(sessions)))
            .transport(Transport::Bearer)
            .build()?,
        tokens: builder()
            .transport(Transport::Bearer)
            .device_label(|_| "API token".to_owned())
            .build()?,
    })
}

fn cookie(sessions: Sessions) -> SessionCookie {
    if sessions.insecure_cookies {
        // Without `Secure` there can be no `__Host-`.
        SessionCookie::named("id").danger_insecure()
    } else {
        SessionCookie::default()
    }
}
