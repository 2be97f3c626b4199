//! `Cache-Status` (RFC 9211).

use http::HeaderName;
use sfv::{TokenRef, token_ref};

/// Whether and how responses say what the cache did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheStatus {
    /// Not at all.
    Off,
    /// As RFC 9211 says: `hit` with `ttl`, or `fwd` with `stored` and `collapsed`.
    #[default]
    On,
    /// And, in `detail`, why a response was not stored.
    Explain,
}

/// What the cache did with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// Answered from the cache; seconds of freshness left, negative once stale.
    Hit { ttl: i64 },
    /// Asked the origin.
    Forward {
        why: Forward,
        stored: bool,
        detail: Option<&'static str>,
    },
    /// Answered with what was stored, which the origin confirmed.
    Validated {
        why: Forward,
        stored: bool,
        detail: Option<&'static str>,
    },
    /// Answered with what another request's forwarding brought.
    Collapsed,
    /// Asked nobody, because the request forbade it.
    Refused,
    /// Asked the origin, which took longer than it may.
    TimedOut(Forward),
}

/// Why the origin was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forward {
    Bypass,
    Method,
    UriMiss,
    VaryMiss,
    Stale,
    /// "The request's semantics (e.g., Cache-Control request directives) did not allow its use" (RFC 9211 §2.2).
    Request,
    /// "The cache was able to select a partial response for the request, but it did not contain all of the
    /// requested ranges."
    Partial,
}

impl Forward {
    pub(super) const ALL: [Self; 7] = [
        Self::Bypass,
        Self::Method,
        Self::UriMiss,
        Self::VaryMiss,
        Self::Stale,
        Self::Request,
        Self::Partial,
    ];

    pub(super) const fn token(self) -> &'static TokenRef {
        token_ref(match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Stale => "stale",
            Self::Request => "request",
            Self::Partial => "partial",
        })
    }
}

pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
