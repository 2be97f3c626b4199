//! How far the cache goes with what HTTP allows.

use crate::http::vary::Normalising;

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
    /// Take an answer to HEAD that names no validator for one about what is stored.
    pub(crate) trusts_bare_heads: bool,
    /// Store parts.
    pub(crate) stores_parts: bool,
    /// Store an answer to POST that is one to GET.
    pub(crate) fills_from_post: bool,
    /// Which requests select the same variant.
    pub(crate) normalising: Normalising,
    /// Let requests ask for more, or for less, than what is fresh.
    pub(crate) heeds_requests: bool,
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
    /// - Parts (206) are stored and answer requests for what lies wholly within them (§3.3), one stretch of bytes for
    ///   each response; those that touch and have the same strong validator are joined (§3.4).
    /// - A 200 to POST that states a lifetime and names the URI that was posted to in `Content-Location` is stored
    ///   as the answer to GET (RFC 9110 §9.3.3); a POST is never answered from the cache.
    /// - A 200 to HEAD without `ETag` and `Last-Modified` updates the stored answer to GET, unless it has another
    ///   length (§4.3.5). (The default wants one that matches.)
    /// - Requests whose fields differ in what [does not matter](Self::normalise_variants) are answered with the
    ///   same variant (§4.1).
    /// - Requests are [heeded](Self::heed_requests) that ask for something fresher than what is stored, or are content
    ///   with less (§5.2.1).
    #[must_use]
    pub const fn rfc9111() -> Self {
        Self {
            stores_all_statuses: true,
            is_heuristic: true,
            trusts_server_errors: true,
            bridges_disconnection: true,
            trusts_bare_heads: true,
            fills_from_post: true,
            normalising: Normalising::Full,
            stores_parts: true,
            heeds_requests: true,
        }
    }

    /// Whether, where a response varies by a request field, the order of languages in `Accept-Language` and
    /// spaces in lists do not matter. (Their case, the order of codings in `Accept-Encoding`, and how weights are
    /// written never do.) An origin that takes the first of several languages answers some with their second
    /// then. Layers that differ in this do not share variants. Default: no; [by the RFC](Self::rfc9111) yes.
    #[must_use]
    pub const fn normalise_variants(mut self, on: bool) -> Self {
        self.normalising = match on {
            true => Normalising::Full,
            false => Normalising::Cautious,
        };
        self
    }

    /// Whether `Cache-Control` in a request has a say in which stored response may answer it: with `no-cache`
    /// (and, from clients that know nothing newer, `Pragma: no-cache`) none that the origin has not
    /// confirmed for it; with `max-age` and `min-fresh` none that is older, or not fresh for so long; with
    /// `max-stale` also one that is past its time by no more than that, if it says nothing against it.
    ///
    /// Whoever can send that can make the origin work, for one request of a key at a time; a reload in a
    /// browser sends `no-cache`. [`CacheLayerBuilder::heed_requests_when`] restricts it to some. `only-if-cached`
    /// and `no-store` ask for less work, and are followed always. Default: no; [by the RFC](Self::rfc9111) yes.
    ///
    /// [`CacheLayerBuilder::heed_requests_when`]: crate::CacheLayerBuilder::heed_requests_when
    #[must_use]
    pub const fn heed_requests(mut self, on: bool) -> Self {
        self.heeds_requests = on;
        self
    }
}
