//! Answers to POST that are answers to GET too (RFC 9110 §9.3.3).

mod common;

use std::time::Duration;

use http::{Request, StatusCode};
use tower_keep_cache::CachePolicy;
use tower_keep_store::Outcome;
use tower_keep_test_support::{Gate, Origin, ScriptedBody};

use self::common::*;

type Fields = &'static [(&'static str, &'static str)];

/// Answers each call with its method, and POST with these fields, once the gate is open.
fn origin(posted: Fields, status: u16, gate: &Gate) -> Origin<ScriptedBody> {
    let gate = gate.clone();
    Origin::new(move |request: Request<ScriptedBody>| {
        let method = request.method().to_string();
        let passed = gate.pass();
        async move {
            if method != "POST" {
                let fields = [("cache-control", "max-age=60")];
                return Ok(response(&fields, ScriptedBody::full(method)));
            }
            passed.await;
            let mut answer = response(posted, ScriptedBody::full(method));
            *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
            Ok(answer)
        }
    })
}

const SAME: Fields = &[
    ("cache-control", "max-age=60"),
    ("content-location", "/a?b"),
];

#[tokio::test]
async fn what_says_that_it_is_the_answer_to_get_answers_get_and_no_post() {
    for place in Place::both().await {
        let origin = origin(SAME, 200, &Gate::opened());
        let layer = place.layer().policy(CachePolicy::rfc9111()).build();
        let cache = service(&layer.expect("good options"), &origin);
        assert_eq!(ask(&cache, get("/a?b")).await.text(), "GET");
        for _ in 0..2 {
            let posted = ask(&cache, request("POST", "/a?b", &[])).await;
            assert_eq!(
                (posted.text(), posted.outcome),
                ("POST", Some(Outcome::Bypass))
            );
            assert_eq!(posted.cache_status(), "tower-keep;fwd=method;stored");
        }
        place.clock.advance(Duration::from_secs(5));
        let hit = ask(&cache, get("/a?b")).await;
        assert_eq!((hit.text(), hit.outcome), ("POST", Some(Outcome::Hit)));
        assert_eq!(hit.field("age"), Some("5"));
        assert_eq!(ask(&cache, get("/a")).await.text(), "GET");
        assert_eq!(origin.calls(), 4);
    }
}

#[tokio::test]
async fn nothing_else_is_stored() {
    let rfc = CachePolicy::rfc9111();
    const HERE: (&str, &str) = ("content-location", "/a?b");
    const ELSEWHERE: (&str, &str) = ("content-location", "/a");
    const LASTS: (&str, &str) = ("cache-control", "max-age=60");
    for (policy, fields, status, asked) in [
        (CachePolicy::default(), &[LASTS, HERE][..], 200, &[][..]),
        (rfc, &[LASTS], 200, &[]),
        (rfc, &[LASTS, ELSEWHERE], 200, &[]),
        (
            rfc,
            &[LASTS, ("content-location", "http://other.example/a?b")],
            200,
            &[],
        ),
        (rfc, &[LASTS, HERE, HERE], 200, &[]),
        (rfc, &[LASTS, HERE], 201, &[]),
        (
            rfc,
            &[HERE, ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")],
            200,
            &[],
        ),
        (rfc, &[LASTS, HERE, ("set-cookie", "a=b")], 200, &[]),
        (rfc, &[LASTS, HERE], 200, &[("authorization", "x")]),
        (rfc, &[LASTS, HERE], 200, &[("cookie", "a=b")]),
        (rfc, &[LASTS, HERE], 200, &[("cache-control", "no-store")]),
        (
            rfc,
            &[LASTS, HERE],
            200,
            &[("x-http-method-override", "DELETE")],
        ),
    ] {
        let origin = origin(fields, status, &Gate::opened());
        let layer = Place::memory().layer().policy(policy).build();
        let cache = service(&layer.expect("good options"), &origin);
        ask(&cache, request("POST", "/a?b", asked)).await;
        let got = ask(&cache, get("/a?b")).await;
        assert_eq!(got.text(), "GET", "{fields:?} {status} {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_change_overtook_is_not_stored() {
    for place in Place::both().await {
        let gate = Gate::closed();
        let origin = origin(SAME, 200, &gate);
        let layer = place.layer().policy(CachePolicy::rfc9111()).build();
        let layer = layer.expect("good options");
        let cache = service(&layer, &origin);
        let posting = tokio::spawn({
            let cache = cache.clone();
            async move { ask(&cache, request("POST", "/a?b", &[])).await }
        });
        tower_keep_test_support::eventually(LONG, async || gate.waiters() == 1).await;
        let uri = "/a?b".parse().expect("a URI");
        let purged = layer.handle().purge("example.com", &uri).await;
        purged.expect("the store is up");
        gate.open();
        let posted = posting.await.expect("no panic");
        assert_eq!(posted.cache_status(), "tower-keep;fwd=method");
        assert_eq!(ask(&cache, get("/a?b")).await.text(), "GET");
    }
}

/// "A cache MUST NOT invalidate under these conditions if the origin … of the URI to be invalidated differs from
/// that of the target URI" (RFC 9111 §4.4): a path that begins with two slashes names no host.
#[tokio::test]
async fn a_path_that_looks_like_a_host_concerns_no_other_host() {
    let origin = Origin::new(|request: Request<ScriptedBody>| async move {
        Ok(match request.method().as_str() {
            "POST" => {
                let fields = [("location", "/a"), SAME[0], ("content-location", "/b")];
                response(&fields, ScriptedBody::full("POST"))
            }
            _ => response(&SAME[..1], ScriptedBody::full("GET")),
        })
    });
    let layer = Place::memory()
        .layer()
        .policy(CachePolicy::rfc9111())
        .build();
    let cache = service(&layer.expect("good options"), &origin);
    let victim = || {
        let mut request = get("/a");
        let host = http::HeaderValue::from_static("victim.example");
        request.headers_mut().insert("host", host);
        request
    };
    ask(&cache, victim()).await;
    ask(&cache, request("POST", "//victim.example/b", &[])).await;
    assert_eq!(ask(&cache, victim()).await.outcome, Some(Outcome::Hit));
    let same_path = ask(&cache, get("//victim.example/b")).await;
    assert_eq!(same_path.text(), "GET");
}

/// `/b` is another resource to an origin that does not resolve dots.
#[tokio::test]
async fn a_path_that_is_not_what_its_content_location_says_is_not_filled() {
    let origin = Origin::new(|request: Request<ScriptedBody>| async move {
        let fields = [SAME[0], ("content-location", "/b")];
        let method = request.method().to_string();
        Ok(response(&fields, ScriptedBody::full(method)))
    });
    let layer = Place::memory()
        .layer()
        .policy(CachePolicy::rfc9111())
        .build();
    let cache = service(&layer.expect("good options"), &origin);
    ask(&cache, request("POST", "/a/../b", &[])).await;
    assert_eq!(ask(&cache, get("/a/../b")).await.text(), "GET");
}
