//! How long things may take.

use serde::Deserialize;

use super::Span;

/// How long clients and the origin may take.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// For a client to send the head of a request, and between two requests. Default: 30 s.
    pub head: Span,
    /// To reach the origin. Default: 3 s.
    pub connect: Span,
    /// For the origin to send the head of a response. Default: 60 s.
    pub response: Span,
    /// Between two pieces of a body, either way. Default: 5 m.
    pub body: Span,
    /// For requests that are under way when the gateway is told to stop; and then, as long at most, for what the
    /// cache still refreshes and writes. Default: 30 s.
    pub shutdown: Span,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Span::secs(30),
            connect: Span::secs(3),
            response: Span::secs(60),
            body: Span::secs(300),
            shutdown: Span::secs(30),
        }
    }
}
