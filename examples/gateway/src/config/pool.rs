//! The connections to the origin.

use std::path::PathBuf;

use serde::Deserialize;

use super::Span;

/// How the origin is spoken to.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolConfig {
    /// In which protocol. Default: `auto`.
    pub protocol: Protocol,
    /// A file of certificates in PEM: authorities that are trusted to say who the origin is, beside those that the
    /// operating system knows. Default: none.
    pub ca: Option<PathBuf>,
    /// Connections that are kept while nothing is asked, in HTTP/1.1. Default: 64.
    pub idle: usize,
    /// How long they are kept. Default: 60 s.
    pub idle_timeout: Span,
    /// Whether the origin is told the host that the client asked for (the default), or its own. Over TLS its
    /// certificate has to be for its own in either case, and some servers take requests for no other (421).
    pub keep_host: bool,
}

/// What the origin speaks.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1; over TLS what the origin prefers, HTTP/2 or HTTP/1.1 (RFC 7301).
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 without TLS, known beforehand (RFC 9113 §3.3).
    H2c,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            protocol: Protocol::Auto,
            ca: None,
            idle: 64,
            idle_timeout: Span::secs(60),
            keep_host: true,
        }
    }
}
