//! Who may ask how often.

use serde::Deserialize;

use super::Span;

/// One limit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitConfig {
    /// Its name, in the fields of answers.
    pub name: String,
    /// What is counted: `address`, or `header:NAME`. Requests without the header are not limited by it.
    pub by: String,
    /// Requests in each window.
    pub limit: u32,
    /// The window.
    pub window: Span,
    /// Requests at once. Default: `limit`.
    pub burst: Option<u32>,
}
