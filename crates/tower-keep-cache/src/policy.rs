//! How far the cache goes with what HTTP allows.

/// Which of the things that RFC 9111 allows a cache does.
///
/// The default is what is safe in front of an application that was not written with caches in mind. A proxy,
/// whose origin says what it means, follows the RFC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CachePolicy {
    /// Store every final status with explicit freshness.
    pub(crate) stores_all_statuses: bool,
    /// Estimate a lifetime where none is stated.
    pub(crate) is_heuristic: bool,
    /// Believe a 5xx that nothing was changed.
    pub(crate) trusts_server_errors: bool,
    /// Answer with what is stale if the origin cannot be reached.
    pub(crate) bridges_disconnection: bool,
}

impl CachePolicy {
    /// All that RFC 9111 says of a shared cache:
    ///
    /// - Responses of every final status are stored if they state a lifetime, errors too (§3).
    /// - One that states none and has `Last-Modified` is fresh for a tenth of the time since then, at most a
    ///   day, if its status is [heuristically cacheable](https://www.rfc-editor.org/rfc/rfc9110#section-15.1)
    ///   or it says `public` (§4.2.2).
    /// - An unsafe request that is answered with 5xx invalidates nothing (§4.4). (The default does: an
    ///   application may fail after its commit.)
    /// - Where the inner service fails (not where it answers with an error), what is past its time for no longer
    ///   than it is [kept](crate::CacheLayerBuilder::keep) answers in its place, unless it says
    ///   `must-revalidate`, `proxy-revalidate`, `no-cache` or `s-maxage` (§4.2.4).
    #[must_use]
    pub const fn rfc9111() -> Self {
        Self {
            stores_all_statuses: true,
            is_heuristic: true,
            trusts_server_errors: true,
            bridges_disconnection: true,
        }
    }
}
