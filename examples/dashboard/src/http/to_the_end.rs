//! Work that a client cannot interrupt.

use std::future::Future;

use super::Problem;

/// Runs `work` to its end even if the client goes away in the middle.
///
/// A handler is dropped with its connection. Between a commit and the
/// invalidation that belongs to it, that would leave old answers in the cache.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(work)
        .await
        .unwrap_or_else(|_| Err(Problem::internal("the work behind this request failed")))
}
