//! The switch that shows what the cache is worth.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{HeaderName, request::Parts};

/// A request with this field is computed from the database, whatever is cached.
///
/// Open to everyone because this is a demonstration; a service on the internet
/// would keep it to its operators.
pub(crate) const BYPASS: HeaderName = HeaderName::from_static("x-bypass-cache");

/// Whether this request asked to go without the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bypass(bool);

impl Bypass {
    pub(crate) fn is_asked(self) -> bool {
        self.0
    }

    pub(crate) fn of(parts: &Parts) -> Self {
        Self(parts.headers.contains_key(&BYPASS))
    }
}

impl<S: Sync> FromRequestParts<S> for Bypass {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}
