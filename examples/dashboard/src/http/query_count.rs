//! How many statements a request cost.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::extract::FromRequestParts;
use http::request::Parts;

/// A counter that travels with one request, from outside the cache to the
/// database and back.
#[derive(Clone, Debug, Default)]
pub(crate) struct QueryCount(Arc<AtomicU32>);

impl QueryCount {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S: Sync> FromRequestParts<S> for QueryCount {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
