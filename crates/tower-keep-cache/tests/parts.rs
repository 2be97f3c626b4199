//! Parts that are stored as such (RFC 9111 §3.3, §3.4).

mod common;

use std::time::Duration;

use http::{Request, StatusCode};
use tokio::task::JoinSet;
use tower_keep_cache::{Cache, CacheLayer, CachePolicy, Dependency, Tag, TagField};
use tower_keep_store::{Mode, Outcome};
use tower_keep_test_support::{Gate, Origin, ScriptedBody, eventually};

use self::common::*;

const WHOLE: &str = "0123456789";

/// Serves the part that is asked for, with these fields.
fn parts(fields: &'static [(&'static str, &'static str)]) -> Origin<ScriptedBody> {
    Origin::new(move |request: Request<ScriptedBody>| async move {
        let range = request
            .headers()
            .get("range")
            .and_then(|range| range.to_str().ok());
        let Some((first, last)) =
            range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
        else {
            return Ok(response(fields, ScriptedBody::full(WHOLE)));
        };
        let first: usize = first.parse().expect("a number");
        let last = last.parse().unwrap_or(WHOLE.len() - 1);
        let mut part = response(fields, ScriptedBody::full(&WHOLE[first..=last]));
        *part.status_mut() = StatusCode::PARTIAL_CONTENT;
        let place = format!("bytes {first}-{last}/10")
            .parse()
            .expect("a field value");
        part.headers_mut().insert("content-range", place);
        Ok(part)
    })
}

fn cache(place: &Place, origin: &Origin<ScriptedBody>) -> Cache<Origin<ScriptedBody>> {
    let layer = place.layer().policy(CachePolicy::rfc9111()).build();
    service(&layer.expect("good options"), origin)
}

fn range(range: &str) -> Request<ScriptedBody> {
    request("GET", "/a", &[("range", range)])
}

const TAGGED: &[(&str, &str)] = &[("cache-control", "max-age=60"), ("etag", "\"1\"")];

#[tokio::test]
async fn a_stored_part_answers_for_what_lies_within_it() {
    for place in Place::both().await {
        let origin = parts(TAGGED);
        let here = cache(&place, &origin);
        let miss = ask(&here, range("bytes=4-9")).await;
        assert_eq!((miss.status.as_u16(), miss.text()), (206, "456789"));
        assert_eq!(miss.cache_status(), "tower-keep;fwd=uri-miss;stored");
        assert_eq!(miss.outcome, Some(Outcome::Miss));
        place.written(1).await;
        place.clock.advance(Duration::from_secs(5));
        let mut caches = vec![here];
        if place.server.is_some() {
            let layer = CacheLayer::builder(place.other_process().await);
            let layer = layer.policy(CachePolicy::rfc9111()).build();
            caches.push(service(&layer.expect("good options"), &origin));
        }
        for cache in caches {
            for (asked, body, said) in [
                ("bytes=4-9", "456789", "bytes 4-9/10"),
                ("bytes=6-8", "678", "bytes 6-8/10"),
                ("bytes=6-", "6789", "bytes 6-9/10"),
                ("bytes=-1", "9", "bytes 9-9/10"),
            ] {
                let hit = ask(&cache, range(asked)).await;
                assert_eq!((hit.status.as_u16(), hit.text()), (206, body), "{asked}");
                assert_eq!(hit.outcome, Some(Outcome::Hit), "{asked}");
                assert_eq!(hit.field("content-range"), Some(said));
                assert_eq!(hit.field("age"), Some("5"));
                assert_eq!(hit.field("content-length"), Some(&*body.len().to_string()));
            }
        }
        assert_eq!(origin.calls(), 1);
    }
}

#[tokio::test]
async fn a_part_is_never_taken_for_the_whole_nor_for_another() {
    let place = Place::memory();
    let origin = parts(TAGGED);
    let cache = cache(&place, &origin);
    ask(&cache, range("bytes=4-9")).await;
    let beyond = ask(&cache, range("bytes=2-5")).await;
    assert_eq!(beyond.text(), "2345");
    assert_eq!(beyond.cache_status(), "tower-keep;fwd=partial;stored");
    let fields = [("range", "bytes=4-5"), ("if-range", "\"0\"")];
    ask(&cache, request("GET", "/a", &fields)).await;
    assert_eq!(origin.calls(), 3);
    let whole = ask(&cache, get("/a")).await;
    assert_eq!((whole.status.as_u16(), whole.text()), (200, WHOLE));
    assert_eq!(ask(&cache, range("bytes=0-1")).await.text(), "01");
    assert_eq!(origin.calls(), 4);
}

#[tokio::test]
async fn parts_that_touch_become_the_whole_if_they_are_of_the_same() {
    for (fields, is_joined) in [
        (TAGGED, true),
        (
            &[("cache-control", "max-age=60"), ("etag", "W/\"1\"")],
            false,
        ),
        (&[("cache-control", "max-age=60")], false),
    ] {
        for place in Place::both().await {
            let origin = parts(fields);
            let cache = cache(&place, &origin);
            for part in ["bytes=6-9", "bytes=3-6", "bytes=0-2"] {
                ask(&cache, range(part)).await;
            }
            let whole = ask(&cache, get("/a")).await;
            assert_eq!((whole.status.as_u16(), whole.text()), (200, WHOLE));
            assert_eq!(whole.outcome == Some(Outcome::Hit), is_joined, "{fields:?}");
            assert_eq!(whole.field("content-range"), None);
            if is_joined {
                assert_eq!(whole.field("content-length"), Some("10"));
            }
        }
    }
}

#[tokio::test]
async fn what_is_joined_is_as_old_as_its_oldest_part() {
    let place = Place::memory();
    let origin = parts(TAGGED);
    let layer = place.layer().policy(CachePolicy::rfc9111()).build();
    let layer = layer.expect("good options");
    let cache = service(&layer, &origin);
    ask(&cache, range("bytes=0-4")).await;
    let everything = layer.handle().invalidate_everything(Mode::Hard).await;
    everything.expect("the embedded store");
    ask(&cache, range("bytes=5-9")).await;
    let whole = ask(&cache, get("/a")).await;
    assert_eq!(whole.outcome, Some(Outcome::Miss));
}

#[tokio::test]
async fn what_is_no_sound_part_is_passed_on_and_not_stored() {
    for (place_said, body, length) in [
        ("bytes 0-4/10", "0123", None),
        ("bytes 0-4/10", "012345", None),
        ("bytes 0-4/3", "01234", None),
        ("bytes 0-4/10", "0123", Some("5")),
        // Whoever said the length anew may have lost a byte.
        ("bytes 4-9/10", "45678", Some("5")),
        ("bytes */10", "01234", None),
    ] {
        let origin = Origin::new(move |_| async move {
            let fields = [
                ("cache-control", "max-age=60"),
                ("content-range", place_said),
            ];
            let mut part = response(&fields, ScriptedBody::full(body));
            *part.status_mut() = StatusCode::PARTIAL_CONTENT;
            if let Some(length) = length {
                let length = length.parse().expect("a field value");
                part.headers_mut().insert("content-length", length);
            }
            Ok(part)
        });
        let cache = cache(&Place::memory(), &origin);
        let asked = match place_said.starts_with("bytes 4") {
            true => "bytes=4-8",
            false => "bytes=0-3",
        };
        for _ in 0..2 {
            let passed = ask(&cache, range(asked)).await;
            assert_eq!((passed.text(), passed.outcome), (body, Some(Outcome::Miss)));
        }
    }
}

#[tokio::test]
async fn nothing_but_parts_and_the_whole_is_stored_for_who_asks_for_a_part() {
    for (status, outcome) in [
        (416, Outcome::Miss),
        (404, Outcome::Miss),
        (200, Outcome::Hit),
    ] {
        let origin = Origin::new(move |_| async move {
            let mut answer = response(TAGGED, ScriptedBody::full(WHOLE));
            *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
            Ok(answer)
        });
        let cache = cache(&Place::memory(), &origin);
        ask(&cache, range("bytes=0-3")).await;
        assert_eq!(
            ask(&cache, get("/a")).await.outcome,
            Some(outcome),
            "{status}"
        );
    }
}

#[tokio::test]
async fn who_would_be_satisfied_with_the_cache_only_is_told_so_of_parts_too() {
    let origin = parts(TAGGED);
    let cache = cache(&Place::memory(), &origin);
    let fields = [("range", "bytes=0-3"), ("cache-control", "only-if-cached")];
    let refused = ask(&cache, request("GET", "/a", &fields)).await;
    assert_eq!(refused.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(origin.calls(), 0);
}

#[tokio::test]
async fn only_what_is_missing_of_a_part_is_asked_for() {
    for place in Place::both().await {
        let origin = parts(TAGGED);
        let cache = cache(&place, &origin);
        ask(&cache, range("bytes=0-3")).await;
        let whole = ask(&cache, get("/a")).await;
        assert_eq!((whole.status.as_u16(), whole.text()), (200, WHOLE));
        assert_eq!(whole.cache_status(), "tower-keep;fwd=partial;stored");
        assert_eq!(whole.field("content-length"), Some("10"));
        assert_eq!(whole.field("content-range"), None);
        assert_eq!(whole.outcome, Some(Outcome::Miss));
        let hit = ask(&cache, get("/a")).await;
        assert_eq!((hit.text(), hit.outcome), (WHOLE, Some(Outcome::Hit)));
        assert_eq!(origin.calls(), 2);
    }
}

/// Answers the first request with a part, the second with this.
fn then(rest: fn(&Request<ScriptedBody>) -> http::Response<ScriptedBody>) -> Origin<ScriptedBody> {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    Origin::new(move |request: Request<ScriptedBody>| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let answer = match call {
            0 => partial("\"1\"", "bytes 0-3/10", "0123"),
            1 => rest(&request),
            _ => response(TAGGED, ScriptedBody::full(WHOLE)),
        };
        async move { Ok(answer) }
    })
}

fn partial(tag: &str, place: &str, body: &'static str) -> http::Response<ScriptedBody> {
    let fields = [
        ("cache-control", "max-age=60"),
        ("etag", tag),
        ("content-range", place),
    ];
    let mut part = response(&fields, ScriptedBody::full(body));
    *part.status_mut() = StatusCode::PARTIAL_CONTENT;
    part
}

#[tokio::test]
async fn the_rest_has_to_be_of_the_same() {
    let origin = then(|request| {
        assert_eq!(request.headers()["range"], "bytes=4-");
        assert_eq!(request.headers()["if-range"], "\"1\"");
        let fields = [("cache-control", "max-age=60"), ("etag", "\"2\"")];
        response(&fields, ScriptedBody::full("another"))
    });
    let other = cache(&Place::memory(), &origin);
    ask(&other, range("bytes=0-3")).await;
    let whole = ask(&other, get("/a")).await;
    assert_eq!((whole.status.as_u16(), whole.text()), (200, "another"));
    assert_eq!(ask(&other, get("/a")).await.outcome, Some(Outcome::Hit));
}

#[tokio::test]
async fn an_origin_that_does_not_keep_to_the_condition_is_asked_for_all_the_next_time() {
    let origins = [
        then(|_| partial("\"2\"", "bytes 4-9/10", "xxxxxx")),
        then(|_| partial("\"1\"", "bytes 5-9/10", "56789")),
        then(|_| partial("\"1\"", "bytes 4-8/10", "45678")),
        then(|_| {
            let mut refusal = response(TAGGED, ScriptedBody::empty());
            *refusal.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            refusal
        }),
    ];
    for origin in origins {
        let cache = cache(&Place::memory(), &origin);
        ask(&cache, range("bytes=0-3")).await;
        let refused = ask(&cache, get("/a")).await;
        assert_eq!(refused.status, StatusCode::BAD_GATEWAY);
        assert_eq!(refused.outcome, Some(Outcome::Error));
        let whole = ask(&cache, get("/a")).await;
        assert_eq!((whole.status.as_u16(), whole.text()), (200, WHOLE));
    }
}

/// What is asked with `If-Range` is answered with what is not of the same, once the gate lets it through.
fn unconditional(gate: &Gate) -> Origin<ScriptedBody> {
    let gate = gate.clone();
    Origin::new(move |request: Request<ScriptedBody>| {
        let asked = |name| request.headers().contains_key(name);
        let (answer, passed) = match (asked("range"), asked("if-range")) {
            (true, true) => (
                partial("\"2\"", "bytes 4-9/10", "xxxxxx"),
                Some(gate.pass()),
            ),
            (true, false) => (partial("\"1\"", "bytes 0-3/10", "0123"), None),
            _ => (response(TAGGED, ScriptedBody::full(WHOLE)), None),
        };
        async move {
            if let Some(passed) = passed {
                passed.await;
            }
            Ok(answer)
        }
    })
}

fn together(
    cache: &Cache<Origin<ScriptedBody>>,
    request: impl Fn() -> Request<ScriptedBody>,
) -> JoinSet<Answer> {
    let mut asking = JoinSet::new();
    for _ in 0..10 {
        let (cache, request) = (cache.clone(), request());
        asking.spawn(async move { ask(&cache, request).await });
    }
    asking
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_rest_costs_its_leader_an_answer_and_nobody_who_waits_for_him() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = unconditional(&gate);
    let [here, there] = [place.store.clone(), place.other_process().await].map(|store| {
        let layer = CacheLayer::builder(store).policy(CachePolicy::rfc9111());
        layer.lease(LONG).build().expect("good options")
    });
    let caches = [&here, &there].map(|layer| service(layer, &origin));
    for cache in &caches {
        ask(cache, range("bytes=0-3")).await;
    }
    let leading = together(&caches[0], || get("/a"));
    eventually(LONG, async || gate.waiters() == 1).await;
    let waiting = together(&caches[1], || get("/a"));
    eventually(LONG, async || there.handle().stats().awaited == 1).await;
    gate.open();
    let status = |answer: &Answer| answer.status;
    let mut led: Vec<_> = leading.join_all().await.iter().map(status).collect();
    led.sort();
    assert_eq!((led[8], led[9]), (StatusCode::OK, StatusCode::BAD_GATEWAY));
    for answer in waiting.join_all().await {
        assert_eq!((answer.status.as_u16(), answer.text()), (200, WHOLE));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leads_nobody_asks_for_the_whole() {
    let place = Place::memory();
    let origin = unconditional(&Gate::opened());
    let cache = cache(&place, &origin);
    ask(&cache, range("bytes=0-3")).await;
    let unstored = || request("GET", "/a", &[("cache-control", "no-store")]);
    for answer in together(&cache, unstored).join_all().await {
        assert_eq!((answer.status.as_u16(), answer.text()), (200, WHOLE));
    }
}

#[tokio::test]
async fn what_may_be_the_whole_already_is_not_asked_for_the_rest_of() {
    let origin = Origin::new(|request: Request<ScriptedBody>| async move {
        let range = request.headers().get("range").cloned();
        Ok(match range {
            None => response(TAGGED, ScriptedBody::full(WHOLE)),
            Some(range) if range == "bytes=0-9" => partial("\"1\"", "bytes 0-9/*", WHOLE),
            Some(_) => {
                let mut refusal =
                    response(&[("content-range", "bytes */10")], ScriptedBody::empty());
                *refusal.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                refusal
            }
        })
    });
    let cache = cache(&Place::memory(), &origin);
    ask(&cache, range("bytes=0-9")).await;
    let whole = ask(&cache, get("/a")).await;
    assert_eq!((whole.status.as_u16(), whole.text()), (200, WHOLE));
}

#[tokio::test]
async fn a_rest_that_breaks_off_is_not_stored() {
    let origin = then(|_| partial("\"1\"", "bytes 4-9/10", "456"));
    let cache = cache(&Place::memory(), &origin);
    ask(&cache, range("bytes=0-3")).await;
    assert_eq!(ask(&cache, get("/a")).await.text(), "0123456");
    assert_eq!(ask(&cache, get("/a")).await.outcome, Some(Outcome::Miss));
}

#[tokio::test]
async fn what_may_not_be_stored_is_completed_all_the_same() {
    let origin = then(|_| {
        let mut rest = partial("\"1\"", "bytes 4-9/10", "456789");
        let no_store = http::HeaderValue::from_static("no-store");
        rest.headers_mut().insert("cache-control", no_store);
        rest
    });
    let cache = cache(&Place::memory(), &origin);
    ask(&cache, range("bytes=0-3")).await;
    let whole = ask(&cache, get("/a")).await;
    assert_eq!((whole.status.as_u16(), whole.text()), (200, WHOLE));
}

/// A part with these further fields.
fn partial_with(
    place: &str,
    body: &'static str,
    more: &[(&'static str, &'static str)],
) -> http::Response<ScriptedBody> {
    let mut part = partial("\"1\"", place, body);
    for (name, value) in more {
        let value = http::HeaderValue::from_static(value);
        part.headers_mut().insert(*name, value);
    }
    part
}

const DESCRIBED: &[(&str, &str)] = &[("content-type", "text/x"), ("content-encoding", "x")];

/// Answers what is asked for with the part of the whole that it is, the first time with these fields.
fn described_once(fields: &'static [(&'static str, &'static str)]) -> Origin<ScriptedBody> {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    Origin::new(move |request: Request<ScriptedBody>| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let more = if call == 0 { fields } else { &[] };
        let part = match request.headers()["range"].to_str().expect("text") {
            "bytes=0-3" => partial_with("bytes 0-3/10", "0123", more),
            _ => partial_with("bytes 4-9/10", "456789", more),
        };
        async move { Ok(part) }
    })
}

/// "If a 206 is generated in response to a request with an If-Range header field, the sender SHOULD NOT generate
/// other representation header fields beyond those required" (RFC 9110 §15.3.7).
#[tokio::test]
async fn what_is_completed_keeps_the_fields_that_its_beginning_came_with() {
    let origin = described_once(DESCRIBED);
    let cache = cache(&Place::memory(), &origin);
    ask(&cache, range("bytes=0-3")).await;
    for _ in 0..2 {
        let whole = ask(&cache, get("/a")).await;
        assert_eq!((whole.status.as_u16(), whole.text()), (200, WHOLE));
        for (name, value) in DESCRIBED {
            assert_eq!(whole.field(name), Some(*value));
        }
    }
    assert_eq!(origin.calls(), 2);
}

#[tokio::test]
async fn what_is_joined_keeps_the_fields_that_its_older_part_came_with() {
    let origin = described_once(&DESCRIBED[..1]);
    let cache = cache(&Place::memory(), &origin);
    ask(&cache, range("bytes=0-3")).await;
    ask(&cache, range("bytes=4-9")).await;
    let whole = ask(&cache, get("/a")).await;
    assert_eq!((whole.status.as_u16(), whole.text()), (200, WHOLE));
    assert_eq!(whole.field("content-type"), Some("text/x"));
    assert_eq!(origin.calls(), 2);
}

#[tokio::test]
async fn a_part_for_who_has_another_one_lacks_fields_and_is_for_nobody_else() {
    let origin = Origin::new(|request: Request<ScriptedBody>| async move {
        let fields = match request.headers().contains_key("if-range") {
            true => &[][..],
            false => DESCRIBED,
        };
        Ok(partial_with("bytes 0-3/10", "0123", fields))
    });
    let cache = cache(&Place::memory(), &origin);
    let fields = [("range", "bytes=0-3"), ("if-range", "\"1\"")];
    ask(&cache, request("GET", "/a", &fields)).await;
    let other = ask(&cache, range("bytes=0-3")).await;
    for (name, value) in DESCRIBED {
        assert_eq!(other.field(name), Some(*value));
    }
}

#[tokio::test]
async fn parts_in_different_codings_are_of_different_bytes_whatever_their_tag_says() {
    let origin = Origin::new(|request: Request<ScriptedBody>| async move {
        Ok(match request.headers().get("range") {
            Some(range) if range == "bytes=0-3" => {
                partial_with("bytes 0-3/10", "0123", &[("content-encoding", "gzip")])
            }
            Some(range) if range == "bytes=4-" && request.headers().contains_key("if-range") => {
                partial_with("bytes 4-9/10", "456789", &[("content-encoding", "br")])
            }
            Some(_) => partial_with("bytes 4-9/10", "456789", &[("content-encoding", "br")]),
            None => response(TAGGED, ScriptedBody::full(WHOLE)),
        })
    });
    let joining = cache(&Place::memory(), &origin);
    ask(&joining, range("bytes=0-3")).await;
    ask(&joining, range("bytes=4-9")).await;
    let whole = ask(&joining, get("/a")).await;
    assert_eq!((whole.outcome, whole.text()), (Some(Outcome::Miss), WHOLE));
    let completing = cache(&Place::memory(), &origin);
    ask(&completing, range("bytes=0-3")).await;
    let refused = ask(&completing, get("/a")).await;
    assert_eq!(refused.status, StatusCode::BAD_GATEWAY);
}

/// RFC 9530 §2: it is the digest of the message's content, whichever part that is.
#[tokio::test]
async fn a_digest_of_other_bytes_is_not_sent_with_a_part() {
    let origin = Origin::new(|request: Request<ScriptedBody>| async move {
        let digest = [("content-digest", "sha-256=:eA==:"), ("repr-digest", "x")];
        Ok(match request.uri().path() {
            "/a" => partial_with("bytes 0-3/10", "0123", &digest),
            _ => {
                let mut whole = response(TAGGED, ScriptedBody::full(WHOLE));
                for (name, value) in digest {
                    let value = http::HeaderValue::from_static(value);
                    whole.headers_mut().insert(name, value);
                }
                whole
            }
        })
    });
    let cache = cache(&Place::memory(), &origin);
    for (uri, asked) in [
        ("/a", "bytes=1-2"),
        ("/b", "bytes=1-2"),
        ("/b", "bytes=0-1,4-5"),
    ] {
        let first = request("GET", uri, &[("range", "bytes=0-3")]);
        assert!(ask(&cache, first).await.field("content-digest").is_some() || uri == "/b");
        let part = ask(&cache, request("GET", uri, &[("range", asked)])).await;
        assert_eq!(part.outcome, Some(Outcome::Hit), "{uri} {asked}");
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.field("content-digest"), None, "{uri} {asked}");
        assert_eq!(part.field("repr-digest"), Some("x"));
    }
    let whole = ask(&cache, get("/b")).await;
    assert!(whole.field("content-digest").is_some());
}

#[tokio::test]
async fn a_part_in_several_pieces_is_not_stored_whatever_place_it_claims() {
    let origin = Origin::new(|_| async move {
        let kind = [("content-type", "Multipart/Byteranges; boundary=x")];
        Ok(partial_with("bytes 0-3/10", "--x-", &kind))
    });
    let cache = cache(&Place::memory(), &origin);
    for _ in 0..2 {
        let passed = ask(&cache, range("bytes=0-3")).await;
        assert_eq!(passed.outcome, Some(Outcome::Miss));
    }
}

#[tokio::test]
async fn the_whole_depends_on_what_its_beginning_depends_on() {
    let origin = then(|_| partial("\"1\"", "bytes 4-9/10", "456789"));
    let layer = Place::memory()
        .layer()
        .policy(CachePolicy::rfc9111())
        .tag_field(TagField::cache_tag())
        .hide_tag_fields()
        .build();
    let layer = layer.expect("good options");
    let tagged = Origin::new(move |request: Request<ScriptedBody>| {
        let is_first = !request.headers().contains_key("if-range");
        let call = tower::Service::call(&mut origin.clone(), request);
        async move {
            let mut part = call.await?;
            if is_first {
                let tag = http::HeaderValue::from_static("jobs");
                part.headers_mut().insert("cache-tag", tag);
            }
            Ok(part)
        }
    });
    let cache = service(&layer, &tagged);
    ask(&cache, range("bytes=0-3")).await;
    assert_eq!(ask(&cache, get("/a")).await.text(), WHOLE);
    assert_eq!(ask(&cache, get("/a")).await.outcome, Some(Outcome::Hit));
    let tag = Tag::new("jobs");
    let written = layer.handle().invalidate([tag], Mode::Hard).await;
    written.expect("the embedded store");
    assert_eq!(ask(&cache, get("/a")).await.outcome, Some(Outcome::Miss));
}

/// "The sender of a 206 … to a request with If-Range SHOULD NOT generate other representation header fields": what
/// the beginning came with holds for the whole.
#[tokio::test]
async fn what_is_completed_keeps_the_fields_and_the_tags_of_its_beginning() {
    let origin = Origin::new(|request: Request<ScriptedBody>| async move {
        if request.headers().contains_key("if-range") {
            return Ok(partial("\"1\"", "bytes 4-9/10", "456789"));
        }
        let mut first = partial("\"1\"", "bytes 0-3/10", "0123");
        let fields = [
            ("content-type", "text/plain"),
            ("surrogate-key", "page"),
            ("cache-groups", r#""g""#),
        ];
        for (name, value) in fields {
            let value = http::HeaderValue::from_static(value);
            first.headers_mut().insert(name, value);
        }
        Ok(first)
    });
    for gone in [
        Dependency::from(Tag::new("page")),
        Dependency::group("example.com", "g"),
    ] {
        let place = Place::memory();
        let layer = place.layer().policy(CachePolicy::rfc9111());
        let layer = layer.tag_field(TagField::surrogate_key()).hide_tag_fields();
        let layer = layer.build().expect("good options");
        let cache = service(&layer, &origin);
        ask(&cache, range("bytes=0-3")).await;
        for outcome in [Outcome::Miss, Outcome::Hit] {
            let whole = ask(&cache, get("/a")).await;
            assert_eq!((whole.text(), whole.outcome), (WHOLE, Some(outcome)));
            assert_eq!(whole.field("content-type"), Some("text/plain"));
            assert_eq!(whole.field("surrogate-key"), None);
        }
        let invalidated = layer.handle().invalidate([gone], Mode::Hard).await;
        invalidated.expect("embedded");
        assert_ne!(ask(&cache, get("/a")).await.outcome, Some(Outcome::Hit));
    }
}
