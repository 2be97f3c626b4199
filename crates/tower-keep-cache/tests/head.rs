//! What an answer to HEAD does to the stored answer to GET (RFC 9111 §4.3.5).

mod common;

use std::time::Duration;

use http::{Request, Response, StatusCode};
use tower_keep_cache::CachePolicy;
use tower_keep_store::{Mode, Outcome};
use tower_keep_test_support::{Origin, ScriptedBody};

use self::common::*;

type Fields = &'static [(&'static str, &'static str)];

/// Answers GET with a page, HEAD with other fields.
fn origin(page: Fields, head: Fields, status: u16) -> Origin<ScriptedBody> {
    Origin::new(move |request: Request<ScriptedBody>| async move {
        if request.method() != "HEAD" {
            return Ok(response(page, ScriptedBody::full("12345")));
        }
        let mut answer: Response<_> = response(head, ScriptedBody::empty());
        *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
        Ok(answer)
    })
}

const PAGE: Fields = &[
    ("cache-control", "max-age=60, stale-if-error=600"),
    ("etag", "\"1\""),
    ("a", "1"),
    ("b", "1"),
];

#[tokio::test]
async fn what_it_confirms_is_fresh_again_with_its_fields() {
    for place in Place::both().await {
        let same: Fields = &[
            ("cache-control", "max-age=1000"),
            ("etag", "\"1\""),
            ("content-length", "5"),
            ("a", "2"),
        ];
        let origin = origin(PAGE, same, 200);
        let cache = service(&place.layer().build().expect("good options"), &origin);
        ask(&cache, get("/a")).await;
        place.clock.advance(Duration::from_secs(61));
        let head = ask(&cache, request("HEAD", "/a", &[])).await;
        assert_eq!(head.outcome, Some(Outcome::Miss));
        place.clock.advance(Duration::from_secs(999));
        let hit = ask(&cache, get("/a")).await;
        assert_eq!((hit.text(), hit.outcome), ("12345", Some(Outcome::Hit)));
        for (name, value) in [("a", "2"), ("b", "1"), ("age", "999")] {
            assert_eq!(hit.field(name), Some(value), "{name}");
        }
        assert_eq!(origin.calls(), 2);
        if place.server.is_none() {
            continue;
        }
        place.written(2).await;
        let other = tower_keep_cache::CacheLayer::new(place.other_process().await);
        let hit = ask(&service(&other, &origin), get("/a")).await;
        assert_eq!(hit.outcome, Some(Outcome::Hit));
    }
}

const FRESH: (&str, &str) = ("cache-control", "max-age=1000");

#[tokio::test]
async fn what_it_does_not_confirm_is_not_updated() {
    for (policy, head, status, is_updated) in [
        (
            CachePolicy::default(),
            &[FRESH, ("etag", "\"2\"")][..],
            200,
            false,
        ),
        (
            CachePolicy::default(),
            &[FRESH, ("etag", "\"1\"")],
            200,
            true,
        ),
        (
            CachePolicy::default(),
            &[FRESH, ("etag", "\"1\"")],
            410,
            false,
        ),
        (
            CachePolicy::default(),
            &[FRESH, ("etag", "\"1\""), ("content-length", "6")],
            200,
            false,
        ),
        (CachePolicy::default(), &[FRESH], 200, false),
        (CachePolicy::rfc9111(), &[FRESH], 200, true),
        (
            CachePolicy::rfc9111(),
            &[("cache-control", "no-store"), ("etag", "\"1\"")],
            200,
            false,
        ),
        (
            CachePolicy::rfc9111(),
            &[FRESH, ("etag", "\"1\""), ("vary", "x")],
            200,
            false,
        ),
    ] {
        let place = Place::memory();
        let origin = origin(PAGE, head, status);
        let layer = place.layer().policy(policy).build();
        let cache = service(&layer.expect("good options"), &origin);
        ask(&cache, get("/a")).await;
        place.clock.advance(Duration::from_secs(61));
        ask(&cache, request("HEAD", "/a", &[])).await;
        let is_hit = ask(&cache, get("/a")).await.outcome == Some(Outcome::Hit);
        assert_eq!(is_hit, is_updated, "{head:?} {status}");
    }
}

#[tokio::test]
async fn a_change_that_head_was_told_of_makes_it_stale_for_all() {
    let place = Place::memory();
    let changed: Fields = &[("cache-control", "max-age=60"), ("etag", "\"2\"")];
    let origin = origin(PAGE, changed, 200);
    let layer = place.layer().policy(CachePolicy::rfc9111()).build();
    let cache = service(&layer.expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    let no_cache = [("cache-control", "no-cache")];
    ask(&cache, request("HEAD", "/a", &no_cache)).await;
    let anew = ask(&cache, get("/a")).await;
    assert_eq!(anew.outcome, Some(Outcome::Miss));
    assert_eq!(anew.cache_status(), "tower-keep;fwd=stale;stored");
}

#[tokio::test]
async fn it_does_not_bring_back_what_was_invalidated() {
    let place = Place::memory();
    let same: Fields = &[("cache-control", "max-age=60"), ("etag", "\"1\"")];
    let origin = origin(PAGE, same, 200);
    let layer = place.layer().build().expect("good options");
    let cache = service(&layer, &origin);
    ask(&cache, get("/a")).await;
    let everything = layer.handle().invalidate_everything(Mode::Soft).await;
    everything.expect("the embedded store");
    ask(&cache, request("HEAD", "/a", &[])).await;
    let anew = ask(&cache, get("/a")).await;
    assert_eq!(anew.outcome, Some(Outcome::Miss));
}

#[tokio::test]
async fn its_tags_do_not_add_up_without_end() {
    let place = Place::memory();
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let origin = Origin::new(move |request: Request<ScriptedBody>| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let groups: Vec<_> = (0..40).map(|i| format!("\"{call}-{i}\"")).collect();
        let groups = groups.join(", ");
        let fields = [
            ("cache-control", "max-age=1"),
            ("etag", "\"1\""),
            ("cache-groups", &groups),
        ];
        let body = match request.method().as_str() {
            "HEAD" => ScriptedBody::empty(),
            _ => ScriptedBody::full("12345"),
        };
        let answer = response(&fields, body);
        async move { Ok(answer) }
    });
    let layer = place.layer().build().expect("good options");
    let cache = service(&layer, &origin);
    ask(&cache, get("/a")).await;
    for _ in 0..4 {
        place.clock.advance(Duration::from_secs(2));
        ask(&cache, request("HEAD", "/a", &[])).await;
    }
    let uri = http::Uri::from_static("/a");
    let found = layer.handle().inspect("example.com", &uri).await;
    for entry in found.expect("embedded") {
        assert!(entry.targets.len() <= 67, "{}", entry.targets.len());
    }
}
