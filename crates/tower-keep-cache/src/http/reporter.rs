//! Who writes `Cache-Status`, under which name.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use sfv::{BareItem, ItemSerializer, KeyRef, StringRef, TokenRef, integer, key_ref, token_ref};

use super::status::{CACHE_STATUS, CacheStatus, Forward, Report};

/// Writes reports into responses. Clones are cheap.
#[derive(Clone, Debug)]
pub(crate) struct Reporter(Option<Arc<Says>>);

#[derive(Debug)]
struct Says {
    explains: bool,
    name: BareItem,
    /// What most of the requests that the cache does not answer are told, serialised once.
    plain: [[HeaderValue; 2]; 7],
}

impl Reporter {
    /// One of this name: "a Token or a String" (RFC 9211 §2).
    pub(crate) fn new(how: CacheStatus, name: &str) -> Result<Self, &'static str> {
        let name = named(name)?;
        Ok(match how {
            CacheStatus::Off => Self(None),
            CacheStatus::On => Self::of(name, false),
            CacheStatus::Explain => Self::of(name, true),
        })
    }

    fn of(name: BareItem, explains: bool) -> Self {
        let plain = Forward::ALL.map(|why| {
            [false, true].map(|stored| {
                let detail = None;
                serialised(
                    &name,
                    explains,
                    Report::Forward {
                        why,
                        stored,
                        detail,
                    },
                )
            })
        });
        Self(Some(Arc::new(Says {
            explains,
            name,
            plain,
        })))
    }

    /// Adds the report to a response, after those of caches further in.
    pub(crate) fn write(&self, report: Report, headers: &mut HeaderMap) {
        if let Some(value) = self.value(report) {
            headers.append(CACHE_STATUS, value);
        }
    }

    fn value(&self, report: Report) -> Option<HeaderValue> {
        let says = self.0.as_deref()?;
        Some(match report {
            Report::Forward {
                why,
                stored,
                detail,
            } if detail.is_none() || !says.explains => {
                says.plain[why as usize][usize::from(stored)].clone()
            }
            _ => serialised(&says.name, says.explains, report),
        })
    }
}

impl Default for Reporter {
    fn default() -> Self {
        let name = token_ref(DEFAULT_NAME).to_owned();
        Self::of(BareItem::Token(name), false)
    }
}

fn serialised(name: &BareItem, explains: bool, report: Report) -> HeaderValue {
    let item = ItemSerializer::new().bare_item(name);
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
            match detail.filter(|_| explains) {
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
            match detail.filter(|_| explains) {
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

/// A token where it can be one.
fn named(name: &str) -> Result<BareItem, &'static str> {
    if name.is_empty() {
        return Err("is empty");
    }
    if let Ok(token) = TokenRef::from_str(name) {
        return Ok(BareItem::Token(token.to_owned()));
    }
    let string = StringRef::from_str(name).map_err(|_| "has more in it than printable ASCII")?;
    Ok(BareItem::String(string.to_owned()))
}

/// Who speaks, if nobody says otherwise.
pub(crate) const DEFAULT_NAME: &str = "tower-keep";

/// Seconds beyond which nobody needs to know.
const TTL_MOST: i64 = 999_999_999;

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
        let value = Reporter::new(how, "tower-keep").ok()?.value(report)?;
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
        let reporter = Reporter::new(CacheStatus::On, "a").expect("a name");
        let says = reporter.0.as_deref().expect("it is on");
        for why in Forward::ALL {
            for stored in [false, true] {
                let report = Report::Forward {
                    why,
                    stored,
                    detail: None,
                };
                assert_eq!(
                    reporter.value(report),
                    Some(serialised(&says.name, false, report))
                );
            }
        }
    }

    #[test]
    fn reports_of_caches_further_in_come_first() {
        let mut headers =
            HeaderMap::from_iter([(CACHE_STATUS, HeaderValue::from_static("inner;hit"))]);
        Reporter::default().write(Report::Hit { ttl: 1 }, &mut headers);
        let values: Vec<_> = headers.get_all(CACHE_STATUS).iter().collect();
        assert_eq!(values, ["inner;hit", "tower-keep;hit;ttl=1"]);
    }

    #[test]
    fn a_name_is_a_token_or_a_string_or_refused() {
        let hit = |name| {
            let reporter = Reporter::new(CacheStatus::On, name).expect("a name");
            let value = reporter.value(Report::Hit { ttl: 1 }).expect("something");
            value.to_str().expect("visible ASCII").to_owned()
        };
        assert_eq!(hit("edge.example"), "edge.example;hit;ttl=1");
        assert_eq!(hit("edge/1:a"), "edge/1:a;hit;ttl=1");
        assert_eq!(hit("1st"), "\"1st\";hit;ttl=1");
        assert_eq!(hit("a; \"b\\"), "\"a; \\\"b\\\\\";hit;ttl=1");
        for odd in ["", "caf\u{e9}", "a\r\nb", "a\0"] {
            assert!(Reporter::new(CacheStatus::On, odd).is_err(), "{odd:?}");
            // Not only where it would be said.
            assert!(Reporter::new(CacheStatus::Off, odd).is_err(), "{odd:?}");
        }
    }
}
