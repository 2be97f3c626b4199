//! Where to purge and to look in.

use std::{fmt, net::SocketAddr};

use serde::Deserialize;

/// The admin address.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig {
    /// Where to listen: not where clients can reach it.
    pub listen: SocketAddr,
    /// What requests have to say: `Authorization: Bearer …`. At least 16 characters.
    pub token: String,
}

impl fmt::Debug for AdminConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminConfig")
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}
