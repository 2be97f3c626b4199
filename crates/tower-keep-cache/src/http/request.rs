//! What is to be done with a request, judged by its head alone.

use http::{
    HeaderMap, HeaderName, Method,
    header::{
        AUTHORIZATION, CONTENT_LENGTH, COOKIE, IF_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
        TRANSFER_ENCODING, UPGRADE,
    },
    request::Parts,
};

use super::{control::Control, demands::Demands};
use crate::personal::{is_known, is_user};

/// The way a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Ask the cache.
    Lookup(Lookup),
    /// An unsafe method: to the origin, and if that does not fail, what is stored is out of date.
    Invalidate,
    /// To the origin, and nothing else.
    Bypass,
}

/// What the head of a GET or HEAD says about how to answer and what to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lookup {
    pub(crate) head: bool,
    /// Part of the response is asked for: it is answered from what is stored, or not by the cache.
    pub(crate) ranged: bool,
    /// The request carries `Cookie` or `Authorization`, or a layer further out knows who sends it: only
    /// what is declared to be the same for all may answer it.
    pub(crate) identified: Identified,
    pub(crate) no_store: bool,
    pub(crate) only_if_cached: bool,
    /// What it asks of what is stored, where clients are heeded.
    pub(crate) demands: Demands,
}

/// By what a request says who sends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identified {
    /// By a cookie, or in a way that only others know of.
    pub(crate) cookie: bool,
    pub(crate) authorization: bool,
    /// A layer further out has told the handler which user it is.
    pub(crate) user: bool,
}

impl Identified {
    pub(crate) fn at_all(self) -> bool {
        self.cookie || self.authorization
    }
}

/// `has_body`: whether the request's body may have data. `heeds`: whether clients may ask for more than what is
/// stored.
pub(crate) fn plan(request: &Parts, has_body: bool, heeds: bool) -> Plan {
    let headers = &request.headers;
    let head = match request.method {
        Method::GET => false,
        Method::HEAD => true,
        Method::OPTIONS | Method::TRACE | Method::CONNECT => return Plan::Bypass,
        // RFC 9111 §4.4: "including methods whose safety is unknown".
        _ => return Plan::Invalidate,
    };
    let Some((mut identified, ranged)) = identified(headers).filter(|_| !has_body) else {
        return Plan::Bypass;
    };
    if head && ranged {
        return Plan::Bypass;
    }
    identified.cookie |= is_known(&request.extensions);
    identified.user = is_user(&request.extensions);
    let control = Control::of(headers);
    Plan::Lookup(Lookup {
        head,
        ranged,
        identified,
        no_store: control.no_store,
        only_if_cached: control.only_if_cached,
        demands: match heeds {
            true => Demands::of(&control, headers),
            false => Demands::default(),
        },
    })
}

/// How the answer to a POST is to be stored for GET; nothing if it asks for something else than its URI.
pub(crate) fn posting(request: &Parts) -> Option<Lookup> {
    let headers = &request.headers;
    let is_another =
        |name: &HeaderName| *name != TRANSFER_ENCODING && NOT_FOR_A_CACHE.contains(name);
    if headers.keys().any(is_another) || headers.contains_key(RANGE) {
        return None;
    }
    let control = Control::of(headers);
    Some(Lookup {
        head: false,
        ranged: false,
        identified: Identified {
            cookie: headers.contains_key(COOKIE) || is_known(&request.extensions),
            authorization: headers.contains_key(AUTHORIZATION),
            user: is_user(&request.extensions),
        },
        no_store: control.no_store,
        only_if_cached: false,
        demands: Demands::default(),
    })
}

/// By what the request says who sends it, and whether it asks for a part; nothing if it is not one for a cache. One pass over the fields:
/// this is most of what a hit costs.
fn identified(headers: &HeaderMap) -> Option<(Identified, bool)> {
    let mut identified = Identified::default();
    let [mut ranged, mut is_conditional] = [false; 2];
    for (name, value) in headers {
        if *name == COOKIE {
            identified.cookie = true;
        } else if *name == AUTHORIZATION {
            identified.authorization = true;
        } else if *name == CONTENT_LENGTH {
            if value != "0" {
                return None;
            }
        } else if *name == RANGE {
            ranged = true;
        } else if *name == IF_RANGE {
            is_conditional = true;
        } else if NOT_FOR_A_CACHE.contains(name) {
            return None;
        }
    }
    (ranged || !is_conditional).then_some((identified, ranged))
}

/// Fields that make the answer another one than the URI's: bodies, preconditions that only the
/// origin judges, upgrades, and fields by which frameworks let a request become another one than the
/// cache has seen.
static NOT_FOR_A_CACHE: [HeaderName; 9] = [
    TRANSFER_ENCODING,
    IF_MATCH,
    IF_UNMODIFIED_SINCE,
    UPGRADE,
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
];

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn planned(method: &str, fields: &[(&str, &str)]) -> Plan {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (request, ()) = request.body(()).expect("a request").into_parts();
        plan(&request, false, false)
    }

    #[test]
    fn methods_choose_the_way() {
        assert!(matches!(
            planned("GET", &[]),
            Plan::Lookup(Lookup { head: false, .. })
        ));
        assert!(matches!(
            planned("HEAD", &[]),
            Plan::Lookup(Lookup { head: true, .. })
        ));
        for method in ["POST", "PUT", "PATCH", "DELETE", "PURGE", "get"] {
            assert_eq!(planned(method, &[]), Plan::Invalidate, "{method}");
        }
        assert_eq!(planned("OPTIONS", &[]), Plan::Bypass);
    }

    #[test]
    fn a_get_that_asks_for_something_else_than_its_uri_passes_by() {
        for field in [
            ("if-range", "\"a\""),
            ("if-match", "*"),
            ("upgrade", "websocket"),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
            ("x-http-method-override", "DELETE"),
            ("x-original-url", "/admin"),
        ] {
            assert_eq!(planned("GET", &[field]), Plan::Bypass, "{field:?}");
        }
        let range = ("range", "bytes=0-1");
        assert!(matches!(
            planned("GET", &[range, ("if-range", "\"a\"")]),
            Plan::Lookup(Lookup { ranged: true, .. })
        ));
        assert_eq!(planned("HEAD", &[range]), Plan::Bypass);
        assert!(matches!(
            planned("GET", &[("content-length", "0")]),
            Plan::Lookup(_)
        ));
        let with_body = Request::get("/")
            .body(())
            .expect("a request")
            .into_parts()
            .0;
        assert_eq!(plan(&with_body, true, false), Plan::Bypass);
    }

    #[test]
    fn who_asks_and_what_for_is_noted() {
        let Plan::Lookup(lookup) =
            planned("GET", &[("cookie", "a=b"), ("cache-control", "No-Store")])
        else {
            panic!("a lookup");
        };
        assert!(lookup.identified.cookie && !lookup.identified.authorization && lookup.no_store);
    }
}
