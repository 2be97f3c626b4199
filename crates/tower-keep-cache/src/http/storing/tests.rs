//! What is stored, and for how long: one table for each topic.

use http::{Response, StatusCode};

use super::{
    super::{demands::Demands, request::Identified},
    *,
};
use crate::class::Class;

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
    demands: NO_DEMANDS,
};
const NO_DEMANDS: Demands = Demands {
    no_cache: false,
    max_age: None,
    min_fresh: None,
    max_stale: None,
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
        targets: TargetFields::default(),
        class,
        strip_set_cookie: false,
        keep: Duration::from_secs(3600),
    }
}

pub(crate) fn by_the_rfc() -> StoringRules {
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
fn decide(rules: &StoringRules, asked: &Lookup, head: &response::Parts) -> Result<u64, Refusal> {
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
    // Which RFC 9111 §3.5 does not name, and what is said in no right form permits nothing.
    for not_for_all in [
        "max-age=60, proxy-revalidate",
        "max-age=60, must-revalidate=1",
        "max-age=60, must-revalidate=\"x\"",
    ] {
        assert_eq!(
            decide(&plain, &bearer, &lines(not_for_all)),
            Err(Refusal::Authorization),
            "{not_for_all}"
        );
    }
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
