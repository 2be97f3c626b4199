//! Against `http-cache-semantics` 3.0, where both should agree: random fields, one request that may fill the cache
//! and one that it may answer.
//!
//! Left out, because they disagree there, and why:
//!
//! - Names of directives are in small letters: it compares them with their case.
//! - `Date` is the time of receipt or absent: it does not count the apparent age (RFC 9111 §4.2.3).
//! - `proxy-revalidate`: it takes what says that for stale at once; we, when its time is over (§5.2.2.8).
//! - `max-stale`: it serves what says `no-cache` or `s-maxage` then, which forbid that (§4.2.4).
//! - `Pragma` beside `Cache-Control`: it heeds it.
//! - `Age` that cannot be read, repeated fields, quoted or malformed numbers: it takes them for absent, or for the
//!   first; we for stale.
//! - Statuses beyond its list: it does not store them whatever they say.
//! - `immutable`: it makes up a lifetime of a day.
//! - `Cookie` and `Set-Cookie`: both are stricter than the RFC, each in its way.
//! - `must-understand`, `stale-while-revalidate`, `stale-if-error`, parts: it does not know them.

mod common;

use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue, Request, Response};
use http_cache_semantics::{CacheOptions, CachePolicy as Oracle};
use proptest::prelude::*;
use tower_keep_cache::CachePolicy;
use tower_keep_store::Outcome;
use tower_keep_test_support::{Origin, ScriptedBody};

use self::common::*;

type Fields = Vec<(&'static str, String)>;

/// What the origin answers, without those fields that need the time.
#[derive(Clone, Debug)]
struct Answered {
    status: u16,
    control: Vec<String>,
    age: Option<u64>,
    /// Seconds from the receipt.
    expires: Option<i64>,
    modified: Option<i64>,
    is_dated: bool,
    is_validated: bool,
    vary: Option<&'static str>,
}

impl Answered {
    fn fields(&self, received: SystemTime) -> Fields {
        let date = |offset: i64| {
            let distance = Duration::from_secs(offset.unsigned_abs());
            httpdate::fmt_http_date(match offset < 0 {
                true => received - distance,
                false => received + distance,
            })
        };
        let control = (!self.control.is_empty()).then(|| self.control.join(", "));
        let dated = self.is_dated.then_some(0);
        [
            ("cache-control", control),
            ("age", self.age.map(|age| age.to_string())),
            ("expires", self.expires.map(date)),
            ("last-modified", self.modified.map(date)),
            ("date", dated.map(date)),
            ("etag", self.is_validated.then(|| "\"v1\"".to_owned())),
            ("vary", self.vary.map(str::to_owned)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

fn answered() -> impl Strategy<Value = Answered> {
    let seconds = 0_u64..120;
    let directive = prop_oneof![
        4 => seconds.clone().prop_map(|seconds| format!("max-age={seconds}")),
        2 => seconds.prop_map(|seconds| format!("s-maxage={seconds}")),
        1 => Just("no-store".to_owned()),
        1 => Just("no-cache".to_owned()),
        1 => Just("private".to_owned()),
        2 => Just("public".to_owned()),
        2 => Just("must-revalidate".to_owned()),
        1 => Just("x-unknown=\"no-store\"".to_owned()),
    ];
    let status = prop::sample::select(vec![
        200, 200, 200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501,
    ]);
    let vary = prop::option::weighted(0.3, prop::sample::select(vec!["x-a", "x-a, x-b", "*"]));
    let fields = (
        prop::option::weighted(0.3, 0_u64..100),
        prop::option::weighted(0.3, -50_i64..120),
        prop::option::weighted(0.4, (-100_i64..10).prop_map(|tens| 10 * tens)),
        any::<bool>(),
        any::<bool>(),
    );
    let control = prop::collection::vec(directive, 0..3).prop_filter("each once", |all| {
        let name = |said: &String| said.split('=').next().map(str::to_owned);
        all.len() < 2 || name(&all[0]) != name(&all[1])
    });
    (status, control, fields, vary).prop_map(|(status, control, fields, vary)| {
        let (age, expires, modified, is_dated, is_validated) = fields;
        Answered {
            status,
            control,
            age,
            expires,
            modified,
            is_dated,
            is_validated,
            vary,
        }
    })
}

fn demand() -> impl Strategy<Value = Option<(&'static str, String)>> {
    let control = |control: String| Some(("cache-control", control));
    prop_oneof![
        4 => Just(None),
        1 => Just(control("no-cache".to_owned())),
        1 => (0_u64..150).prop_map(move |age| control(format!("max-age={age}"))),
        1 => (0_u64..150).prop_map(move |left| control(format!("min-fresh={left}"))),
        1 => Just(Some(("pragma", "no-cache".to_owned()))),
    ]
}

fn built(mut request: Request<()>, fields: &Fields) -> Request<()> {
    for (name, value) in fields {
        let value = HeaderValue::from_str(value).expect("visible ASCII");
        request
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    request
}

fn asking(selecting: &str, is_authorized: bool) -> Request<()> {
    let fields = [
        ("host", "example.com".to_owned()),
        ("x-a", selecting.to_owned()),
    ];
    let authorized = is_authorized.then(|| ("authorization", "x".to_owned()));
    let request = Request::get("/a").body(()).expect("a request");
    built(request, &fields.into_iter().chain(authorized).collect())
}

/// Whether our cache answers the second request.
async fn answers(first: Request<()>, second: Request<()>, answered: &Answered, after: u64) -> bool {
    let place = Place::memory();
    let fields = answered.fields(place.clock.now().into());
    let status = answered.status;
    let origin = Origin::new(move |_| {
        let said: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        let mut answer = response(&said, ScriptedBody::full("x"));
        *answer.status_mut() = status.try_into().expect("a status");
        async move { Ok(answer) }
    });
    let layer = place.layer().policy(CachePolicy::rfc9111()).build();
    let cache = service(&layer.expect("good options"), &origin);
    ask(&cache, first.map(|()| ScriptedBody::empty())).await;
    place.clock.advance(Duration::from_secs(after));
    let answer = ask(&cache, second.map(|()| ScriptedBody::empty())).await;
    answer.outcome == Some(Outcome::Hit)
}

fn oracle_answers(
    first: &Request<()>,
    second: &Request<()>,
    answered: &Answered,
    after: u64,
) -> bool {
    let received: SystemTime = Place::memory().clock.now().into();
    let mut response = Response::builder().status(answered.status);
    for (name, value) in answered.fields(received) {
        response = response.header(name, value);
    }
    let response = response.body(()).expect("a response");
    let options = CacheOptions {
        shared: true,
        cache_heuristic: 0.1,
        ignore_cargo_cult: false,
        ..CacheOptions::default()
    };
    let oracle = Oracle::new_options(first, &response, received, options);
    let now = received + Duration::from_secs(after);
    oracle.is_storable()
        && oracle
            .before_request(second, now)
            .satisfies_without_revalidation()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn both_answer_the_same_requests(
        answered in answered(),
        demand in demand(),
        selecting in prop::sample::select(vec!["1", "1", "2"]),
        is_authorized in prop::bool::weighted(0.2),
        after in 0_u64..150,
    ) {
        let first = asking("1", is_authorized);
        let second = built(asking(selecting, is_authorized), &demand.into_iter().collect());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let ours = runtime.expect("a runtime").block_on(answers(first.clone(), second.clone(), &answered, after));
        prop_assert_eq!(ours, oracle_answers(&first, &second, &answered, after));
    }
}
