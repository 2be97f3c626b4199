//! May a response be stored, and for how long (RFC 9111 §3).

use std::{sync::Arc, time::Duration};

use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, SET_COOKIE},
    response,
};
use tower_keep_store::{Target, Timestamp};

use super::{
    codes::{is_heuristically_cacheable, is_plain, is_understood, may_be_stored},
    control::Control,
    entry::{SharedWith, promised_length},
    freshness::{Times, heuristic_lifetime, initial_age, stated_lifetime},
    request::{Identified, Lookup},
    validation::has_validator,
    vary::Variance,
};
use crate::{
    class::{Class, Classes, DEFAULT_LARGEST_BODY, DEFAULT_VARIANTS, NamedClass},
    directive::{CacheDirective, MOST_TAGS},
    nesting::RouteClass,
    policy::CachePolicy,
};

/// What does not change from request to request.
#[derive(Clone, Debug)]
pub(crate) struct StoringRules {
    pub(crate) classes: Classes,
    pub(crate) policy: CachePolicy,
    /// For responses that state no lifetime themselves.
    pub(crate) class: Option<Arc<NamedClass>>,
    /// Store what comes with `Set-Cookie`, without it.
    pub(crate) strip_set_cookie: bool,
    /// How long past its time a response is kept for the origin to confirm it.
    pub(crate) keep: Duration,
}

/// How a response is to be stored.
#[derive(Clone, Debug)]
pub(crate) struct StoragePlan {
    pub(crate) fresh_until: Timestamp,
    pub(crate) stale_while_revalidate: Duration,
    pub(crate) stale_if_error: Duration,
    pub(crate) early_refresh: f64,
    /// How long past its lifetime it is kept for the origin to confirm it.
    pub(crate) keep: Duration,
    /// It answers nobody before the origin has confirmed it, those who wait for it neither.
    pub(crate) always_validated: bool,
    pub(crate) initial_age: Duration,
    pub(crate) shared_with: SharedWith,
    pub(crate) variance: Option<Box<[http::HeaderName]>>,
    pub(crate) targets: Vec<Target>,
    pub(crate) largest_body: usize,
    pub(crate) variants: usize,
    pub(crate) first_level: bool,
    pub(crate) store: bool,
}

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

impl StoringRules {
    /// Decides.
    pub(crate) fn decide(
        &self,
        asked: &Lookup,
        response: &response::Parts,
        times: Times,
    ) -> Result<StoragePlan, Refusal> {
        let directive = response.extensions.get::<CacheDirective>();
        let named = directive.and_then(|directive| directive.class.as_deref());
        let named = named
            .map(|name| self.classes.get(name).ok_or(Refusal::UnknownClass))
            .transpose()?;
        let control = Control::of(&response.headers);
        let route = response.extensions.get::<RouteClass>();
        let default = route.map(|route| &route.0).or(self.class.as_ref());
        let rules = named.or(default).map(|named| &named.class);
        if directive.is_some_and(|directive| directive.no_store) {
            return Err(Refusal::Directive);
        }
        if asked.no_store {
            return Err(Refusal::RequestNoStore);
        }
        // What no class is meant for, the policy may allow if its own fields do.
        let by_class = is_plain(response.status) || is_allowed_error(response.status, rules);
        let by_policy = self.policy.stores_all_statuses && may_be_stored(response.status);
        if !by_class && !by_policy {
            return Err(refused_status(response.status));
        }
        check_control(&control, response.status)?;
        check_content(&response.headers, rules, self.strip_set_cookie)?;
        let shared_with = shared_with(&control, rules, named);
        check_identity(asked.identified, shared_with)?;
        let variance = match Variance::of(&response.headers) {
            Variance::None => None,
            Variance::Fields(names) => Some(names),
            Variance::Everything | Variance::Identity => return Err(Refusal::Vary),
        };
        let lifetime = if by_class {
            self.lifetime(named, default, &control, response, times)?
        } else {
            self.lifetime(None, None, &control, response, times)?
        };
        Ok(StoragePlan {
            fresh_until: lifetime.fresh_until,
            stale_while_revalidate: lifetime.stale_while_revalidate,
            stale_if_error: lifetime.stale_if_error,
            early_refresh: rules.map_or(0.0, |class| class.early_refresh),
            keep: self.keep_of(&control, &response.headers),
            always_validated: lifetime.is_over(times),
            initial_age: initial_age(&response.headers, times),
            shared_with,
            variance,
            targets: targets(directive, named.or(default))?,
            largest_body: rules.map_or(DEFAULT_LARGEST_BODY, |class| class.largest_body),
            variants: rules.map_or(DEFAULT_VARIANTS, |class| class.variants),
            first_level: rules.is_none_or(|class| class.first_level),
            store: rules.is_none_or(|class| class.store),
        })
    }

    /// A class that the handler named, else what the response's fields state, else the layer's class, else,
    /// by some policies, an estimate.
    fn lifetime(
        &self,
        named: Option<&Arc<NamedClass>>,
        default: Option<&Arc<NamedClass>>,
        control: &Control,
        response: &response::Parts,
        times: Times,
    ) -> Result<Lifetime, Refusal> {
        let headers = &response.headers;
        let stated = stated_lifetime(control, headers, times);
        let lifetime = match (named, stated, default) {
            // "MUST NOT be used to satisfy any other request without forwarding it for validation and
            // receiving a successful response" (RFC 9111 §5.2.2.4).
            _ if control.no_cache => Lifetime::none(times),
            (Some(class), _, _) | (None, None, Some(class)) => {
                of_class(&class.class, control, times)
            }
            (None, Some(stated), _) => of_fields(stated, control, headers, times),
            (None, None, None) => {
                let estimated = self.estimated_lifetime(control, response, times);
                of_fields(
                    estimated.ok_or(Refusal::NoLifetime)?,
                    control,
                    headers,
                    times,
                )
            }
        };
        if lifetime.is_over(times) && (self.keep.is_zero() || !has_validator(headers)) {
            return Err(match control.no_cache {
                true => Refusal::NoCache,
                false => Refusal::NoLifetime,
            });
        }
        Ok(lifetime)
    }

    fn keep_of(&self, control: &Control, headers: &HeaderMap) -> Duration {
        if has_validator(headers) || self.may_bridge(control) {
            self.keep
        } else {
            Duration::ZERO
        }
    }

    /// Whether what came with these directives may answer, past its time, while the origin cannot be reached.
    pub(crate) fn may_bridge(&self, control: &Control) -> bool {
        self.policy.bridges_disconnection && !control.forbids_stale()
    }

    /// RFC 9111 §4.2.2: not where a lifetime is stated, and only for statuses that are "defined as
    /// heuristically cacheable", or responses "explicitly marked as cacheable (e.g., with a public response
    /// directive)".
    fn estimated_lifetime(
        &self,
        control: &Control,
        response: &response::Parts,
        times: Times,
    ) -> Option<Duration> {
        let is_allowed = control.public || is_heuristically_cacheable(response.status);
        (self.policy.is_heuristic && is_allowed)
            .then(|| heuristic_lifetime(&response.headers, times))
            .flatten()
    }
}

fn is_allowed_error(status: StatusCode, class: Option<&Class>) -> bool {
    matches!(status.as_u16(), 404 | 410) && class.is_some_and(|class| class.errors)
}

fn refused_status(status: StatusCode) -> Refusal {
    if status.as_u16() >= 400 {
        Refusal::Error
    } else {
        Refusal::Status
    }
}

fn check_control(control: &Control, status: StatusCode) -> Result<(), Refusal> {
    // "The must-understand response directive limits caching of the response to a cache that understands
    // and conforms to the requirements for that response's status code"; such a one ignores the `no-store`
    // beside it (RFC 9111 §5.2.2.3).
    if control.must_understand && !is_understood(status) {
        return Err(Refusal::Status);
    }
    if control.no_store && !control.must_understand {
        return Err(Refusal::NoStore);
    }
    if control.private {
        return Err(Refusal::Private);
    }
    Ok(())
}

fn check_content(
    headers: &HeaderMap,
    class: Option<&Class>,
    strip_set_cookie: bool,
) -> Result<(), Refusal> {
    if headers.contains_key(SET_COOKIE) && !strip_set_cookie {
        return Err(Refusal::SetCookie);
    }
    let is_stream = |kind: &http::HeaderValue| {
        let kind = kind.as_bytes();
        kind.len() >= EVENT_STREAM.len()
            && kind[..EVENT_STREAM.len()].eq_ignore_ascii_case(EVENT_STREAM)
    };
    if headers.get(CONTENT_TYPE).is_some_and(is_stream) {
        return Err(Refusal::Stream);
    }
    let largest = class.map_or(DEFAULT_LARGEST_BODY, |class| class.largest_body);
    if promised_length(headers).is_some_and(|length| length > largest as u64) {
        return Err(Refusal::TooLarge);
    }
    Ok(())
}

/// RFC 9111 §3.5 for `Authorization`; for `Cookie`, which HTTP caches are blind to, we ask for as
/// clear a word. Whose handler was told who asks has to say itself that this answer does not depend on that:
/// `public` is often said for whole sites, and so are their classes.
fn shared_with(
    control: &Control,
    class: Option<&Class>,
    named: Option<&Arc<NamedClass>>,
) -> SharedWith {
    let declared = control.public || control.s_maxage.is_some();
    SharedWith {
        cookie: declared || class.is_some_and(|class| class.cookies),
        authorization: declared || control.must_revalidate,
        users: named.is_some_and(|named| named.class.cookies),
    }
}

fn check_identity(identified: Identified, shared: SharedWith) -> Result<(), Refusal> {
    if identified.authorization && !shared.authorization {
        return Err(Refusal::Authorization);
    }
    if identified.cookie && !shared.cookie {
        return Err(Refusal::Cookie);
    }
    Ok(())
}

struct Lifetime {
    fresh_until: Timestamp,
    stale_while_revalidate: Duration,
    stale_if_error: Duration,
}

impl Lifetime {
    fn none(times: Times) -> Self {
        Self {
            fresh_until: times.received,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
        }
    }

    /// Whether it has ended before anybody could use it, with all that may follow it.
    fn is_over(&self, times: Times) -> bool {
        let stale_for = self.stale_while_revalidate.max(self.stale_if_error);
        self.fresh_until + stale_for <= times.received
    }
}

fn of_class(class: &Class, control: &Control, times: Times) -> Lifetime {
    let may_be_stale = !control.must_revalidate;
    let when = |allowed: bool, window: Duration| if allowed { window } else { Duration::ZERO };
    Lifetime {
        fresh_until: times.received + class.jittered(times.received),
        stale_while_revalidate: when(may_be_stale, class.stale_while_revalidate),
        stale_if_error: when(may_be_stale, class.stale_if_error),
    }
}

fn of_fields(stated: Duration, control: &Control, headers: &HeaderMap, times: Times) -> Lifetime {
    // RFC 9111 §5.2.2.10: `s-maxage` has the meaning of `proxy-revalidate` too.
    let may_be_stale = !control.must_revalidate && control.s_maxage.is_none();
    let when = |window: Option<Duration>| window.filter(|_| may_be_stale).unwrap_or_default();
    Lifetime {
        fresh_until: times.received + stated - initial_age(headers, times),
        stale_while_revalidate: when(control.stale_while_revalidate),
        stale_if_error: when(control.stale_if_error),
    }
}

fn targets(
    directive: Option<&CacheDirective>,
    class: Option<&Arc<NamedClass>>,
) -> Result<Vec<Target>, Refusal> {
    let tags = directive.map_or(&[][..], |directive| &directive.tags);
    if tags.len() > MOST_TAGS {
        return Err(Refusal::TooManyTags);
    }
    let class = class.map(|named| named.target);
    Ok(tags
        .iter()
        .map(|tag| Target::from(*tag))
        .chain(class)
        .collect())
}

const EVENT_STREAM: &[u8] = b"text/event-stream";

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1000);
    const TIMES: Times = Times {
        sent: NOW,
        received: NOW,
    };
    const ASKED: Lookup = Lookup {
        head: false,
        ranged: false,
        identified: Identified {
            cookie: false,
            authorization: false,
            user: false,
        },
        no_store: false,
        only_if_cached: false,
    };

    fn rules(class: Option<Class>) -> StoringRules {
        let named = Class::fresh_for(Duration::from_secs(600))
            .stale_if_error(Duration::from_secs(60))
            .errors(true);
        let for_all = Class::fresh_for(Duration::from_secs(600)).allow_cookies();
        let classes = Classes::new().class("named", named);
        let classes = classes.class("for all", for_all);
        let class = class.map(|class| {
            Arc::new(NamedClass {
                name: "default".into(),
                target: Target::new("class", b"default"),
                class,
            })
        });
        StoringRules {
            classes,
            policy: CachePolicy::default(),
            class,
            strip_set_cookie: false,
            keep: Duration::from_secs(3600),
        }
    }

    fn by_the_rfc() -> StoringRules {
        StoringRules {
            policy: CachePolicy::rfc9111(),
            ..rules(None)
        }
    }

    fn response(status: u16, fields: &[(&str, &str)]) -> response::Parts {
        let mut response = Response::builder().status(status);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        response.body(()).expect("a response").into_parts().0
    }

    /// Seconds of freshness, or the refusal.
    fn decide(
        rules: &StoringRules,
        asked: &Lookup,
        head: &response::Parts,
    ) -> Result<u64, Refusal> {
        let plan = rules.decide(asked, head, TIMES)?;
        Ok(plan.fresh_until.since(NOW).as_secs())
    }

    #[test]
    fn only_what_states_a_lifetime_is_stored() {
        let fields = |line| {
            decide(
                &rules(None),
                &ASKED,
                &response(200, &[("cache-control", line)]),
            )
        };
        assert_eq!(fields("max-age=60"), Ok(60));
        assert_eq!(fields("public"), Err(Refusal::NoLifetime));
        assert_eq!(fields("max-age=0"), Err(Refusal::NoLifetime));
        assert_eq!(fields("max-age=0, stale-while-revalidate=5"), Ok(0));
        assert_eq!(
            fields("s-maxage=0, stale-while-revalidate=5"),
            Err(Refusal::NoLifetime)
        );
        assert_eq!(fields("max-age=60, No-Store"), Err(Refusal::NoStore));
        assert_eq!(fields("max-age=60, no-store, must-understand"), Ok(60));
        assert_eq!(fields("max-age=60, PRIVATE"), Err(Refusal::Private));
        assert_eq!(fields("max-age=60, no-cache"), Err(Refusal::NoCache));
        assert_eq!(
            decide(&rules(None), &ASKED, &response(200, &[])),
            Err(Refusal::NoLifetime)
        );
    }

    #[test]
    fn what_the_origin_can_confirm_is_kept_past_its_lifetime() {
        let plan = |control, validator| {
            let head = response(200, &[("cache-control", control), validator]);
            let plan = rules(None).decide(&ASKED, &head, TIMES)?;
            let fresh_for = plan.fresh_until.since(NOW).as_secs();
            Ok((fresh_for, plan.keep.as_secs(), plan.always_validated))
        };
        let tag = ("etag", "\"v1\"");
        assert_eq!(plan("max-age=60", tag), Ok((60, 3600, false)));
        assert_eq!(plan("max-age=60", ("x", "y")), Ok((60, 0, false)));
        assert_eq!(plan("max-age=60, no-cache", tag), Ok((0, 3600, true)));
        assert_eq!(plan("no-cache", tag), Ok((0, 3600, true)));
        assert_eq!(plan("max-age=0", tag), Ok((0, 3600, true)));
        let modified = ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(plan("no-cache", modified), Ok((0, 3600, true)));
        let ours = ("etag", "\"keep-01\"");
        assert_eq!(plan("no-cache", ours), Err(Refusal::NoCache));
        assert_eq!(plan("no-cache, no-store", tag), Err(Refusal::NoStore));
        assert_eq!(plan("", tag), Err(Refusal::NoLifetime));
    }

    #[test]
    fn the_closest_to_the_handler_decides() {
        let with_default = rules(Some(Class::fresh_for(Duration::from_secs(30))));
        assert_eq!(decide(&with_default, &ASKED, &response(200, &[])), Ok(30));
        let stated = response(200, &[("cache-control", "max-age=60")]);
        assert_eq!(decide(&with_default, &ASKED, &stated), Ok(60));
        let mut named = stated.clone();
        named.extensions.insert(CacheDirective::class("named"));
        assert_eq!(decide(&with_default, &ASKED, &named), Ok(600));
        named
            .headers
            .insert("cache-control", "no-store".parse().expect("a value"));
        assert_eq!(decide(&with_default, &ASKED, &named), Err(Refusal::NoStore));
        let mut unknown = stated.clone();
        unknown
            .extensions
            .insert(CacheDirective::class("unheard of"));
        assert_eq!(
            decide(&with_default, &ASKED, &unknown),
            Err(Refusal::UnknownClass)
        );
        let mut refused = stated;
        refused.extensions.insert(CacheDirective::no_store());
        assert_eq!(
            decide(&with_default, &ASKED, &refused),
            Err(Refusal::Directive)
        );
    }

    #[test]
    fn errors_and_parts_are_not_stored() {
        let minute = ("cache-control", "max-age=60");
        for status in [400, 401, 404, 410, 429, 500, 503] {
            assert_eq!(
                decide(&rules(None), &ASKED, &response(status, &[minute])),
                Err(Refusal::Error)
            );
        }
        for status in [206, 304, 226, 399] {
            assert_eq!(
                decide(&rules(None), &ASKED, &response(status, &[minute])),
                Err(Refusal::Status)
            );
        }
        let mut gone = response(410, &[]);
        gone.extensions.insert(CacheDirective::class("named"));
        assert_eq!(decide(&rules(None), &ASKED, &gone), Ok(600));
        gone.status = StatusCode::INTERNAL_SERVER_ERROR;
        assert_eq!(decide(&rules(None), &ASKED, &gone), Err(Refusal::Error));
    }

    #[test]
    fn by_the_rfc_every_final_status_with_a_lifetime_is_stored() {
        let minute = ("cache-control", "max-age=60");
        for status in [200, 299, 303, 400, 404, 499, 500, 503, 599] {
            let head = response(status, &[minute]);
            assert_eq!(decide(&by_the_rfc(), &ASKED, &head), Ok(60), "{status}");
        }
        for status in [206, 304, 429, 511] {
            let head = response(status, &[minute]);
            assert!(decide(&by_the_rfc(), &ASKED, &head).is_err(), "{status}");
        }
        let understood = ("cache-control", "max-age=60, must-understand");
        let decided = |status| decide(&by_the_rfc(), &ASKED, &response(status, &[understood]));
        assert_eq!(decided(404), Ok(60));
        assert_eq!(decided(599), Err(Refusal::Status));
    }

    #[test]
    fn by_the_rfc_a_lifetime_is_estimated_where_none_is_stated() {
        let modified = ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT");
        let fields = |status, control| {
            let head = response(status, &[modified, ("cache-control", control)]);
            decide(&by_the_rfc(), &ASKED, &head)
        };
        assert_eq!(fields(200, ""), Ok(100));
        assert_eq!(fields(404, ""), Ok(100));
        assert_eq!(fields(503, ""), Err(Refusal::NoLifetime));
        assert_eq!(fields(503, "public"), Ok(100));
        // Stated, and so not estimated.
        assert_eq!(fields(200, "max-age=0"), Ok(0));
        let head = response(200, &[modified]);
        assert_eq!(
            decide(&rules(None), &ASKED, &head),
            Err(Refusal::NoLifetime)
        );
        assert!(decide(&by_the_rfc(), &ASKED, &response(200, &[])).is_err());
    }

    #[test]
    fn a_class_is_not_meant_for_errors_unless_it_says_so() {
        let rules = StoringRules {
            policy: CachePolicy::rfc9111(),
            ..rules(Some(Class::fresh_for(Duration::from_secs(30))))
        };
        assert_eq!(decide(&rules, &ASKED, &response(200, &[])), Ok(30));
        assert_eq!(
            decide(&rules, &ASKED, &response(404, &[])),
            Err(Refusal::NoLifetime)
        );
    }

    #[test]
    fn what_is_meant_for_one_is_not_kept_for_all() {
        let lines = |control: &'static str| response(200, &[("cache-control", control)]);
        let cookie = Lookup {
            identified: Identified {
                cookie: true,
                ..ASKED.identified
            },
            ..ASKED
        };
        let bearer = Lookup {
            identified: Identified {
                authorization: true,
                ..ASKED.identified
            },
            ..ASKED
        };
        let plain = rules(None);
        assert_eq!(
            decide(&plain, &cookie, &lines("max-age=60")),
            Err(Refusal::Cookie)
        );
        assert_eq!(
            decide(&plain, &cookie, &lines("max-age=60, must-revalidate")),
            Err(Refusal::Cookie)
        );
        assert_eq!(
            decide(&plain, &cookie, &lines("max-age=60, public")),
            Ok(60)
        );
        assert_eq!(
            decide(&plain, &bearer, &lines("max-age=60")),
            Err(Refusal::Authorization)
        );
        assert_eq!(
            decide(&plain, &bearer, &lines("max-age=60, must-revalidate")),
            Ok(60)
        );
        assert_eq!(decide(&plain, &bearer, &lines("s-maxage=60")), Ok(60));
        let opted_in = rules(Some(
            Class::fresh_for(Duration::from_secs(30)).allow_cookies(),
        ));
        assert_eq!(decide(&opted_in, &cookie, &response(200, &[])), Ok(30));
        let of_users = |rules: &StoringRules, head| {
            let plan = rules.decide(&ASKED, &head, TIMES).expect("stored");
            plan.shared_with.users
        };
        assert!(!of_users(&opted_in, lines("public, s-maxage=60")));
        let mut said = response(200, &[]);
        said.extensions.insert(CacheDirective::class("named"));
        assert!(!of_users(&opted_in, said.clone()));
        said.extensions.insert(CacheDirective::class("for all"));
        assert!(of_users(&plain, said));
        assert_eq!(
            decide(&opted_in, &bearer, &response(200, &[])),
            Err(Refusal::Authorization)
        );
        let no_store = Lookup {
            no_store: true,
            ..ASKED
        };
        assert_eq!(
            decide(&plain, &no_store, &lines("max-age=60")),
            Err(Refusal::RequestNoStore)
        );
    }

    #[test]
    fn contents_that_cannot_be_shared_or_kept_are_refused() {
        let with = |name, value| {
            let head = response(
                200,
                &[("cache-control", "max-age=60, public"), (name, value)],
            );
            decide(&rules(None), &ASKED, &head)
        };
        assert_eq!(with("set-cookie", "a=b"), Err(Refusal::SetCookie));
        assert_eq!(with("vary", "*"), Err(Refusal::Vary));
        assert_eq!(with("vary", "Cookie"), Err(Refusal::Vary));
        assert_eq!(with("vary", "Accept"), Ok(60));
        assert_eq!(
            with("content-type", "Text/Event-Stream; charset=utf-8"),
            Err(Refusal::Stream)
        );
        assert_eq!(with("content-length", "1048577"), Err(Refusal::TooLarge));
        assert_eq!(with("content-length", "1048576"), Ok(60));
        let mut tagged = response(200, &[("cache-control", "max-age=60")]);
        let tags = (0..65).map(|i| crate::Tag::of("t", i));
        tagged.extensions.insert(CacheDirective::new().tags(tags));
        assert_eq!(
            decide(&rules(None), &ASKED, &tagged),
            Err(Refusal::TooManyTags)
        );
    }

    #[test]
    fn stale_windows_come_from_where_the_lifetime_does_and_end_at_must_revalidate() {
        let windows = |control: &'static str, directive: Option<CacheDirective>| {
            let mut head = response(200, &[("cache-control", control)]);
            if let Some(directive) = directive {
                head.extensions.insert(directive);
            }
            let plan = rules(None).decide(&ASKED, &head, TIMES).expect("stored");
            (
                plan.stale_while_revalidate.as_secs(),
                plan.stale_if_error.as_secs(),
            )
        };
        let own = "max-age=60, stale-while-revalidate=5, stale-if-error=6";
        assert_eq!(windows(own, None), (5, 6));
        assert_eq!(windows(own, Some(CacheDirective::class("named"))), (0, 60));
        let strict = "max-age=60, stale-if-error=6, must-revalidate";
        assert_eq!(windows(strict, None), (0, 0));
        assert_eq!(
            windows(strict, Some(CacheDirective::class("named"))),
            (0, 0)
        );
    }
}
