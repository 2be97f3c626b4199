//! What is past its time, and what the origin says of it (RFC 9111 §4.3).

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, Request, StatusCode};
use tokio::task::JoinHandle;
use tower_keep_cache::{Cache, Class, Classes};
use tower_keep_store::{Mode, Outcome};
use tower_keep_test_support::{Gate, Origin, ScriptedBody, eventually};

use self::common::*;

type Fields = &'static [(&'static str, &'static str)];

/// What an origin was asked with, in order.
type Asked = Arc<Mutex<Vec<HeaderMap>>>;

/// An origin that answers 304 with `confirms` whenever it is asked about `"v1"`, else a page with `first`.
fn tagged(first: Fields, confirms: Fields, gate: &Gate) -> (Origin<ScriptedBody>, Asked) {
    let asked = Asked::default();
    let (noted, gate) = (asked.clone(), gate.clone());
    let origin = Origin::new(move |request: Request<ScriptedBody>| {
        let is_known = request.headers().get("if-none-match");
        let is_known = is_known.is_some_and(|tag| tag == "\"v1\"");
        let mut headers = noted.lock().expect("nobody panicked");
        headers.push(request.headers().clone());
        let passed = gate.pass();
        async move {
            if !is_known {
                return Ok(response(first, ScriptedBody::full("page")));
            }
            passed.await;
            let mut confirmed = response(confirms, ScriptedBody::empty());
            *confirmed.status_mut() = StatusCode::NOT_MODIFIED;
            Ok(confirmed)
        }
    });
    (origin, asked)
}

fn asked_with(asked: &Asked, call: usize, name: &str) -> Option<String> {
    let asked = asked.lock().expect("nobody panicked");
    let value = asked.get(call)?.get(name)?;
    Some(value.to_str().expect("visible ASCII").to_owned())
}

const PAGE: Fields = &[
    ("cache-control", "max-age=60"),
    ("etag", "\"v1\""),
    ("x-kept", "1"),
    ("x-changed", "1"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_the_origin_confirms_is_fresh_again_with_its_new_fields() {
    for place in Place::both().await {
        let confirms: Fields = &[("x-changed", "2"), ("etag", "\"v2\"")];
        let (origin, asked) = tagged(PAGE, confirms, &Gate::opened());
        let cache = service(&place.layer().build().expect("good options"), &origin);
        ask(&cache, get("/a")).await;
        place.clock.advance(Duration::from_secs(60));
        let renewed = ask(&cache, get("/a")).await;
        assert_eq!((renewed.status, renewed.text()), (StatusCode::OK, "page"));
        assert_eq!(renewed.outcome, Some(Outcome::Revalidated));
        let status = "tower-keep;fwd=stale;fwd-status=304;stored";
        assert_eq!(renewed.cache_status(), status);
        assert_eq!(renewed.field("age"), Some("0"));
        assert_eq!(
            asked_with(&asked, 1, "if-none-match").as_deref(),
            Some("\"v1\"")
        );
        place.clock.advance(Duration::from_secs(59));
        let hit = ask(&cache, get("/a")).await;
        assert_eq!((hit.text(), hit.outcome), ("page", Some(Outcome::Hit)));
        assert_eq!(hit.field("age"), Some("59"));
        for (name, value) in [("x-kept", "1"), ("x-changed", "2"), ("etag", "\"v1\"")] {
            assert_eq!(hit.field(name), Some(value), "{name}");
        }
        assert_eq!(origin.calls(), 2);
    }
}

#[tokio::test]
async fn another_process_confirms_what_this_one_stored() {
    let place = Place::redis().await;
    let (origin, _) = tagged(PAGE, &[], &Gate::opened());
    let cache = service(&place.layer().build().expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    place.written(1).await;
    place.clock.advance(Duration::from_secs(60));
    let other = tower_keep_cache::CacheLayer::new(place.other_process().await);
    let renewed = ask(&service(&other, &origin), get("/a")).await;
    assert_eq!(renewed.text(), "page");
    assert_eq!(renewed.outcome, Some(Outcome::Revalidated));
}

#[tokio::test]
async fn no_cache_is_stored_and_asked_about_each_time() {
    let place = Place::memory();
    let first: Fields = &[
        ("cache-control", "no-cache, max-age=60"),
        ("etag", "\"v1\""),
    ];
    let (origin, _) = tagged(first, &[], &Gate::opened());
    let cache = service(&place.layer().build().expect("good options"), &origin);
    let miss = ask(&cache, get("/a")).await;
    assert_eq!(miss.cache_status(), "tower-keep;fwd=uri-miss;stored");
    for call in 2..4 {
        let renewed = ask(&cache, get("/a")).await;
        assert_eq!(renewed.text(), "page");
        assert_eq!(renewed.outcome, Some(Outcome::Revalidated));
        assert_eq!(origin.calls(), call);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cache_is_not_written_anew_each_time_it_is_confirmed() {
    let place = Place::redis().await;
    let server = place.server.as_ref().expect("a server");
    let first: Fields = &[
        ("cache-control", "no-cache"),
        ("etag", "\"v1\""),
        ("x", "1"),
    ];
    let (origin, _) = tagged(first, &[("x", "1")], &Gate::opened());
    let cache = service(&place.layer().build().expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    place.written(1).await;
    for (minutes, writes) in [(1, 1), (1, 1), (40, 2), (1, 2), (28, 2), (5, 3)] {
        place.clock.advance(Duration::from_secs(60 * minutes));
        let renewed = ask(&cache, get("/a")).await;
        assert_eq!(renewed.outcome, Some(Outcome::Revalidated), "{minutes}");
        place.written(writes).await;
        let stats = server.command_stats();
        assert_eq!(stats.get("set").copied(), Some(writes as u64), "{minutes}");
    }
}

#[tokio::test]
async fn nobody_is_answered_with_no_cache_that_another_waited_for() {
    let place = Place::memory();
    let gate = Gate::closed();
    let origin = gated(&gate, &[("cache-control", "no-cache"), ("etag", "\"v1\"")]);
    let cache = service(&place.layer().build().expect("good options"), &origin);
    let both = [get("/a"), get("/a")].map(|request| {
        let cache = cache.clone();
        tokio::spawn(async move { ask(&cache, request).await })
    });
    eventually(LONG, async || origin.calls() == 1).await;
    gate.open();
    let [one, two] = both;
    let (one, two) = (one.await.expect("an answer"), two.await.expect("an answer"));
    assert_ne!(one.text(), two.text());
    assert_eq!(origin.calls(), 2);
}

fn ten_at_once(cache: &Cache<Origin<ScriptedBody>>) -> Vec<JoinHandle<Answer>> {
    let one = |_| {
        let cache = cache.clone();
        tokio::spawn(async move { ask(&cache, get("/a")).await })
    };
    (0..10).map(one).collect()
}

#[tokio::test]
async fn those_who_wait_for_no_cache_all_ask_at_once() {
    let place = Place::memory();
    let gate = Gate::closed();
    let first: Fields = &[("cache-control", "no-cache"), ("etag", "\"v1\"")];
    let (origin, _) = tagged(first, &[], &gate);
    let cache = service(&place.layer().build().expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    // It is forgotten that nobody should wait for it.
    place.clock.advance(Duration::from_secs(60));
    let all = ten_at_once(&cache);
    eventually(LONG, async || origin.calls() == 2).await;
    gate.let_through(1);
    eventually(LONG, async || origin.calls() == 11).await;
    gate.open();
    for one in all {
        let answer = one.await.expect("an answer");
        assert_eq!(answer.outcome, Some(Outcome::Revalidated));
    }
}

#[tokio::test]
async fn those_who_wait_share_what_the_origin_confirmed() {
    let place = Place::memory();
    let gate = Gate::closed();
    let (origin, _) = tagged(PAGE, &[], &gate);
    let cache = service(&place.layer().build().expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    place.clock.advance(Duration::from_secs(60));
    let all = ten_at_once(&cache);
    eventually(LONG, async || origin.calls() == 2).await;
    gate.open();
    for one in all {
        let answer = one.await.expect("an answer");
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, "page"));
    }
    assert_eq!(origin.calls(), 2);
}

#[tokio::test]
async fn a_client_gets_a_304_only_for_what_it_asked_with() {
    let place = Place::memory();
    let (origin, asked) = tagged(PAGE, &[], &Gate::opened());
    let cache = service(&place.layer().build().expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    for (tag, status) in [("\"v1\"", 304), ("\"v0\"", 200)] {
        place.clock.advance(Duration::from_secs(60));
        let request = request("GET", "/a", &[("if-none-match", tag)]);
        let answer = ask(&cache, request).await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.outcome, Some(Outcome::Revalidated));
    }
    let last = asked_with(&asked, 2, "if-none-match");
    assert_eq!(last.as_deref(), Some("\"v1\""), "ours, not the client's");
}

#[tokio::test]
async fn a_client_that_has_the_new_version_already_gets_304() {
    let place = Place::memory();
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let origin = Origin::new(move |_| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let tag = ["\"v1\"", "\"v2\""][call.min(1)];
        let fields = [("cache-control", "max-age=60"), ("etag", tag)];
        let answer = response(&fields, ScriptedBody::full(tag));
        async move { Ok(answer) }
    });
    let cache = service(&place.layer().build().expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    place.clock.advance(Duration::from_secs(60));
    let request = request("GET", "/a", &[("if-none-match", "\"v2\"")]);
    let known = ask(&cache, request).await;
    assert_eq!(known.status, StatusCode::NOT_MODIFIED);
    assert_eq!(known.field("etag"), Some("\"v2\""));
    // Nobody reads the body; it is stored all the same.
    eventually(LONG, async || {
        ask(&cache, get("/a")).await.outcome == Some(Outcome::Hit)
    })
    .await;
    assert_eq!(ask(&cache, get("/a")).await.text(), "\"v2\"");
    assert_eq!(origin.calls(), 2);
}

#[tokio::test]
async fn a_cookie_on_a_304_is_for_one_client() {
    let place = Place::memory();
    let (origin, _) = tagged(PAGE, &[("set-cookie", "a=b")], &Gate::opened());
    let cache = service(&place.layer().build().expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    place.clock.advance(Duration::from_secs(60));
    let answer = ask(&cache, get("/a")).await;
    assert_eq!(
        (answer.text(), answer.field("set-cookie")),
        ("page", Some("a=b"))
    );
    let status = "tower-keep;fwd=stale;fwd-status=304;detail=set-cookie";
    assert_eq!(answer.cache_status(), status);
    let again = ask(&cache, get("/a")).await;
    assert_eq!(
        again.outcome,
        Some(Outcome::Revalidated),
        "it was not renewed"
    );
}

#[tokio::test]
async fn what_is_invalidated_while_the_origin_confirms_it_is_not_fresh() {
    let place = Place::memory();
    let gate = Gate::closed();
    let (origin, _) = tagged(PAGE, &[], &gate);
    let classes = Classes::new().class("c", Class::fresh_for(LONG));
    let layer = place.layer().classes(classes).build();
    let layer = layer.expect("good options");
    let cache = service(&layer, &origin);
    ask(&cache, get("/a")).await;
    place.clock.advance(Duration::from_secs(60));
    let asking = tokio::spawn({
        let cache = cache.clone();
        async move { ask(&cache, get("/a")).await }
    });
    eventually(LONG, async || origin.calls() == 2).await;
    let uri = "/a".parse().expect("a URI");
    let purged = layer.handle().purge("example.com", &uri).await;
    purged.expect("embedded");
    gate.open();
    assert_eq!(asking.await.expect("an answer").text(), "page");
    let next = ask(&cache, get("/a")).await;
    assert_ne!(next.outcome, Some(Outcome::Hit));
    assert_eq!(origin.calls(), 3);
}

#[tokio::test]
async fn what_is_softly_invalid_is_asked_about_and_then_fresh() {
    let place = Place::memory();
    let (origin, _) = tagged(PAGE, &[], &Gate::opened());
    let layer = place.layer().build().expect("good options");
    let cache = service(&layer, &origin);
    ask(&cache, get("/a")).await;
    let softly = layer.handle().invalidate_everything(Mode::Soft).await;
    softly.expect("embedded");
    let renewed = ask(&cache, get("/a")).await;
    assert_eq!(renewed.outcome, Some(Outcome::Revalidated));
    assert_eq!(ask(&cache, get("/a")).await.outcome, Some(Outcome::Hit));
}

#[tokio::test]
async fn a_stale_answer_is_refreshed_with_a_question() {
    let place = Place::memory();
    let first: Fields = &[
        ("cache-control", "max-age=60, stale-while-revalidate=60"),
        ("etag", "\"v1\""),
    ];
    let (origin, asked) = tagged(first, &[], &Gate::opened());
    let cache = service(&place.layer().build().expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    place.clock.advance(Duration::from_secs(61));
    assert_eq!(ask(&cache, get("/a")).await.outcome, Some(Outcome::Stale));
    eventually(LONG, async || {
        ask(&cache, get("/a")).await.outcome == Some(Outcome::Hit)
    })
    .await;
    assert!(asked_with(&asked, 1, "if-none-match").is_some());
    assert_eq!(origin.calls(), 2);
}

#[tokio::test]
async fn nothing_is_kept_that_the_origin_cannot_confirm() {
    let place = Place::memory();
    let origin = counting(&[("cache-control", "max-age=60")]);
    let cache = service(&place.layer().build().expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    place.clock.advance(Duration::from_secs(60));
    let next = ask(&cache, get("/a")).await;
    assert_eq!((next.text(), next.outcome), ("2", Some(Outcome::Miss)));
    assert_eq!(next.cache_status(), "tower-keep;fwd=uri-miss;stored");
}
