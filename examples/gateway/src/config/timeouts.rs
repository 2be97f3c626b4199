//! How long things may take.

use std::time::Duration;

use serde::Deserialize;

use super::Span;

/// How long clients, the origin and the store may take.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// For a client to send the head of a request, and between two requests. Default: 30 s.
    pub head: Span,
    /// To reach the origin. Default: 3 s.
    pub connect: Span,
    /// For the origin to send the head of a response, since it took the last of the request. Default: 60 s.
    pub response: Span,
    /// The same where something stale may answer (`stale-if-error`): then it does, and what the origin is asked goes
    /// on. Default: none.
    pub soft: Option<Span>,
    /// For each step of the store; then it is done without it. At least 1 ms. Default: 50 ms.
    pub store: Span,
    /// Between two pieces of a body, either way. Default: 5 m.
    pub body: Span,
    /// For requests that are under way when the gateway is told to stop; and then, as long at most, for what the
    /// cache still refreshes and writes. Default: 30 s.
    pub shutdown: Span,
}

impl Timeouts {
    pub(crate) fn check(&self) -> Result<(), String> {
        for (name, span) in [
            ("head", self.head),
            ("connect", self.connect),
            ("response", self.response),
            ("store", self.store),
            ("body", self.body),
        ] {
            if span.0.is_zero() {
                return Err(format!("timeouts.{name}: 0 would let nothing through"));
            }
        }
        if self.soft.is_some_and(|soft| soft.0 >= self.response.0) {
            return Err("timeouts.soft: it is not shorter than timeouts.response".to_owned());
        }
        Ok(())
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Span::secs(30),
            connect: Span::secs(3),
            response: Span::secs(60),
            soft: None,
            store: Span(Duration::from_millis(50)),
            body: Span::secs(300),
            shutdown: Span::secs(30),
        }
    }
}
