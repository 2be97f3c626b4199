//! The connections to the origin.

use serde::Deserialize;

use super::Span;

/// How the origin is spoken to.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolConfig {
    /// In which protocol. Default: `http1`.
    pub protocol: Protocol,
    /// Connections that are kept while nothing is asked. Default: 64.
    pub idle: usize,
    /// How long they are kept. Default: 60 s.
    pub idle_timeout: Span,
    /// Whether the origin is told the host that the client asked for (the default), or its own. In HTTP/2 the
    /// host belongs to the connection: each has its own, so say which [`hosts`](super::Config::hosts) there are.
    pub keep_host: bool,
}

/// What the origin speaks.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without TLS, known beforehand (RFC 9113 §3.3).
    H2c,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            protocol: Protocol::Http1,
            idle: 64,
            idle_timeout: Span::secs(60),
            keep_host: true,
        }
    }
}
