//! What is kept how, by path.

use serde::Deserialize;

/// What is said of the responses under one path.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// A path (`/login`), or all that lie under one (`/assets/*`).
    pub path: String,
    /// The class of responses that state no lifetime of their own.
    pub class: Option<String>,
    /// Whether the class holds in place of a lifetime that they state.
    #[serde(default)]
    pub force: bool,
    /// What they depend on, for purges.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Whether they are cached at all. Default: yes.
    #[serde(default = "yes")]
    pub cache: bool,
}

fn yes() -> bool {
    true
}
