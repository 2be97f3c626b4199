//! Why a response is not stored.

/// Why a response is not stored. The words are those of the `detail` parameter of `Cache-Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    RequestNoStore,
    Status,
    Error,
    NoStore,
    NoCache,
    Private,
    Authorization,
    Cookie,
    Personal,
    SetCookie,
    Vary,
    Stream,
    NoLifetime,
    TooLarge,
    TooManyTags,
    Groups,
    UnknownClass,
    Directive,
}

impl Refusal {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::RequestNoStore => "request-no-store",
            Self::Status => "status",
            Self::Error => "error",
            Self::NoStore => "no-store",
            Self::NoCache => "no-cache",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::Cookie => "cookie",
            Self::Personal => "personal",
            Self::SetCookie => "set-cookie",
            Self::Vary => "vary",
            Self::Stream => "event-stream",
            Self::NoLifetime => "no-lifetime",
            Self::TooLarge => "too-large",
            Self::TooManyTags => "too-many-tags",
            Self::Groups => "cache-groups",
            Self::UnknownClass => "unknown-class",
            Self::Directive => "directive",
        }
    }

    /// Whether the next response to the same key is likely to be refused as well, so that nobody
    /// should wait for it. An error passes; who asks is not in the key.
    pub(crate) const fn is_lasting(self) -> bool {
        !matches!(self, Self::Error | Self::RequestNoStore | Self::Status)
    }
}
