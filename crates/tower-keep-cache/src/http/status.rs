//! `Cache-Status` (RFC 9211).

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{ItemSerializer, KeyRef, TokenRef, integer, key_ref, token_ref};

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

impl CacheStatus {
    /// Adds the report to a response, after those of caches further in.
    pub(crate) fn write(self, report: Report, headers: &mut HeaderMap) {
        if let Some(value) = self.value(report) {
            headers.append(CACHE_STATUS, value);
        }
    }

    fn value(self, report: Report) -> Option<HeaderValue> {
        match (self, report) {
            (Self::Off, _) => None,
            (Self::On, Report::Forward { why, stored, .. }) => {
                Some(PLAIN[why as usize][usize::from(stored)].clone())
            }
            _ => Some(self.serialised(report)),
        }
    }

    fn serialised(self, report: Report) -> HeaderValue {
        let item = ItemSerializer::new().bare_item(NAME);
        let text = match report {
            Report::Hit { ttl } => {
                let ttl = integer(ttl.clamp(-TTL_MOST, TTL_MOST));
                item.parameter(HIT, true).parameter(TTL, ttl).finish()
            }
            Report::Forward {
                why,
                stored,
                detail,
            } => {
                let mut item = item.parameter(FWD, why.token());
                if stored {
                    item = item.parameter(STORED, true);
                }
                match detail.filter(|_| self == Self::Explain) {
                    Some(detail) => item.parameter(DETAIL, token_ref(detail)).finish(),
                    None => item.finish(),
                }
            }
            Report::Validated {
                why,
                stored,
                detail,
            } => {
                let item = item.parameter(FWD, why.token());
                let mut item = item.parameter(FWD_STATUS, integer(304));
                if stored {
                    item = item.parameter(STORED, true);
                }
                match detail.filter(|_| self == Self::Explain) {
                    Some(detail) => item.parameter(DETAIL, token_ref(detail)).finish(),
                    None => item.finish(),
                }
            }
            Report::Collapsed => item
                .parameter(FWD, Forward::UriMiss.token())
                .parameter(COLLAPSED, true)
                .finish(),
            Report::Refused => item.parameter(DETAIL, token_ref("only-if-cached")).finish(),
            Report::TimedOut(why) => item
                .parameter(FWD, why.token())
                .parameter(DETAIL, token_ref("timeout"))
                .finish(),
        };
        let value = HeaderValue::try_from(text);
        value.expect("a serialised structured field is visible ASCII")
    }
}

impl Forward {
    const ALL: [Self; 7] = [
        Self::Bypass,
        Self::Method,
        Self::UriMiss,
        Self::VaryMiss,
        Self::Stale,
        Self::Request,
        Self::Partial,
    ];

    const fn token(self) -> &'static TokenRef {
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

/// What most of the requests that the cache does not answer are told, serialised once.
static PLAIN: LazyLock<[[HeaderValue; 2]; 7]> = LazyLock::new(|| {
    Forward::ALL.map(|why| {
        [false, true].map(|stored| {
            let detail = None;
            CacheStatus::On.serialised(Report::Forward {
                why,
                stored,
                detail,
            })
        })
    })
});

/// Seconds beyond which nobody needs to know.
const TTL_MOST: i64 = 999_999_999;

/// Who speaks.
const NAME: &TokenRef = token_ref("tower-keep");

const HIT: &KeyRef = key_ref("hit");
const TTL: &KeyRef = key_ref("ttl");
const FWD: &KeyRef = key_ref("fwd");
const FWD_STATUS: &KeyRef = key_ref("fwd-status");
const STORED: &KeyRef = key_ref("stored");
const COLLAPSED: &KeyRef = key_ref("collapsed");
const DETAIL: &KeyRef = key_ref("detail");

#[cfg(test)]
mod tests {
    use super::*;

    fn said(how: CacheStatus, report: Report) -> Option<String> {
        let value = how.value(report)?;
        Some(value.to_str().expect("visible ASCII").to_owned())
    }

    #[test]
    fn reports_read_as_the_rfc_writes_them() {
        let on = |report| said(CacheStatus::On, report).expect("something");
        assert_eq!(on(Report::Hit { ttl: 57 }), "tower-keep;hit;ttl=57");
        assert_eq!(
            on(Report::Hit { ttl: i64::MIN }),
            "tower-keep;hit;ttl=-999999999"
        );
        assert_eq!(on(Report::Collapsed), "tower-keep;fwd=uri-miss;collapsed");
        let refused = Report::Forward {
            why: Forward::UriMiss,
            stored: false,
            detail: Some("set-cookie"),
        };
        assert_eq!(on(refused), "tower-keep;fwd=uri-miss");
        let explained = said(CacheStatus::Explain, refused).expect("something");
        assert_eq!(explained, "tower-keep;fwd=uri-miss;detail=set-cookie");
        assert_eq!(said(CacheStatus::Off, refused), None);
        let validated = Report::Validated {
            why: Forward::Stale,
            stored: true,
            detail: None,
        };
        let expected = "tower-keep;fwd=stale;fwd-status=304;stored";
        assert_eq!(on(validated), expected);
    }

    #[test]
    fn what_is_serialised_once_stands_where_it_is_looked_up() {
        for why in Forward::ALL {
            for stored in [false, true] {
                let report = Report::Forward {
                    why,
                    stored,
                    detail: None,
                };
                let looked_up = CacheStatus::On.value(report);
                assert_eq!(looked_up, Some(CacheStatus::On.serialised(report)));
            }
        }
    }

    #[test]
    fn reports_of_caches_further_in_come_first() {
        let mut headers =
            HeaderMap::from_iter([(CACHE_STATUS, HeaderValue::from_static("inner;hit"))]);
        CacheStatus::On.write(Report::Hit { ttl: 1 }, &mut headers);
        let values: Vec<_> = headers.get_all(CACHE_STATUS).iter().collect();
        assert_eq!(values, ["inner;hit", "tower-keep;hit;ttl=1"]);
    }
}
