//! What `CacheLayer` does with requests, on both stores.

mod common;

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response, StatusCode};
use tower_keep_cache::{CacheDirective, CacheLayer, CacheStatus, Class, Classes, QueryRules, Tag};
use tower_keep_store::{Mode, Outcome, Store};
use tower_keep_test_support::{Origin, ScriptedBody};

use self::common::*;

const MINUTE: &[(&str, &str)] = &[("cache-control", "max-age=60")];

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_response_is_served_again_with_its_age_until_it_is_stale() {
    for place in Place::both().await {
        let origin = counting(MINUTE);
        let cache = service(&place.layer().build().expect("good options"), &origin);
        let miss = ask(&cache, get("/a")).await;
        assert_eq!((miss.text(), miss.outcome), ("1", Some(Outcome::Miss)));
        assert_eq!(miss.cache_status(), "tower-keep;fwd=uri-miss;stored");
        assert_eq!(miss.field("age"), None);
        place.clock.advance(Duration::from_millis(59_900));
        let hit = ask(&cache, get("/a")).await;
        assert_eq!((hit.text(), hit.outcome), ("1", Some(Outcome::Hit)));
        assert_eq!(hit.field("age"), Some("59"));
        assert_eq!(hit.cache_status(), "tower-keep;hit;ttl=0");
        assert_eq!(hit.field("date"), Some("Fri, 15 Jan 2027 08:00:00 GMT"));
        place.clock.advance(Duration::from_millis(100));
        assert_eq!(ask(&cache, get("/a")).await.text(), "2");
        assert_eq!(origin.calls(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_finds_what_another_stored() {
    let place = Place::redis().await;
    let origin = counting(MINUTE);
    let first = service(&CacheLayer::new(place.store.clone()), &origin);
    ask(&first, get("/a")).await;
    place.written(1).await;
    let second = service(&CacheLayer::new(place.other_process().await), &origin);
    let hit = ask(&second, get("/a")).await;
    assert_eq!((hit.text(), hit.outcome), ("1", Some(Outcome::Hit)));
    assert!(hit.cache_status().starts_with("tower-keep;hit"), "{hit:?}");
    let server = place.server.as_ref().expect("a server");
    server.reset_stats();
    for _ in 0..10 {
        assert_eq!(ask(&second, get("/a")).await.text(), "1");
    }
    assert_eq!(
        server.command_stats().get("get"),
        None,
        "the first level answers"
    );
    // A second-level hit is one command.
    let third = service(&CacheLayer::new(place.other_process().await), &origin);
    server.reset_stats();
    assert_eq!(ask(&third, get("/a")).await.outcome, Some(Outcome::Hit));
    assert_eq!(server.command_stats().get("get"), Some(&1));
    assert_eq!(origin.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_stated_lifetime_nothing_is_stored() {
    let place = Place::memory();
    let origin = counting(&[]);
    let cache = service(&place.layer().build().expect("good options"), &origin);
    for call in 1..=3 {
        let answer = ask(&cache, get("/a")).await;
        assert_eq!(answer.text(), call.to_string());
        assert_eq!(
            answer.cache_status(),
            "tower-keep;fwd=uri-miss;detail=no-lifetime"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn classes_and_tags_come_from_the_handler() {
    for place in Place::both().await {
        let calls = std::sync::atomic::AtomicUsize::new(0);
        let origin = Origin::new(move |_| {
            let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            async move {
                let mut response = Response::new(ScriptedBody::full(call.to_string()));
                let directive = CacheDirective::class("profile").tag(Tag::of("candidate", 7));
                response.extensions_mut().insert(directive);
                Ok(response)
            }
        });
        let classes = Classes::new().class("profile", Class::fresh_for(Duration::from_secs(3600)));
        let layer = place
            .layer()
            .classes(classes)
            .build()
            .expect("good options");
        let cache = service(&layer, &origin);
        let handle = layer.handle();
        assert_eq!(ask(&cache, get("/a")).await.text(), "1");
        place.clock.advance(Duration::from_secs(3599));
        assert_eq!(ask(&cache, get("/a")).await.text(), "1");
        handle
            .invalidate([Tag::of("candidate", 8)], Mode::Hard)
            .await
            .expect("written");
        assert_eq!(ask(&cache, get("/a")).await.text(), "1");
        handle
            .invalidate([Tag::of("candidate", 7)], Mode::Hard)
            .await
            .expect("written");
        assert_eq!(ask(&cache, get("/a")).await.text(), "2");
        assert_eq!(ask(&cache, get("/a")).await.text(), "2");
        handle
            .invalidate_class("profile", Mode::Hard)
            .await
            .expect("written");
        assert_eq!(ask(&cache, get("/a")).await.text(), "3");
        handle
            .invalidate_everything(Mode::Hard)
            .await
            .expect("written");
        assert_eq!(ask(&cache, get("/a")).await.text(), "4");
        handle
            .purge("example.com", &"/a".parse().expect("a URI"))
            .await
            .expect("written");
        assert_eq!(ask(&cache, get("/a")).await.text(), "5");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_has_a_class_for_what_states_no_lifetime() {
    let place = Place::memory();
    let classes = Classes::new().class("catalog", Class::fresh_for(Duration::from_secs(1800)));
    let layer = place
        .layer()
        .classes(classes)
        .build()
        .expect("good options");
    assert!(layer.class("unheard of").is_err());
    let of_class = layer.class("catalog").expect("a class");
    let origin = counting(&[]);
    let cache = service(&of_class, &origin);
    ask(&cache, get("/a")).await;
    let hit = ask(&cache, get("/a")).await;
    assert_eq!(hit.cache_status(), "tower-keep;hit;ttl=1800");
    let no_store = counting(&[("cache-control", "no-store")]);
    let cache = service(&of_class, &no_store);
    ask(&cache, get("/b")).await;
    assert_eq!(ask(&cache, get("/b")).await.text(), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_begins_when_the_response_came_and_what_was_stated_when_it_was_made() {
    let classes = || Classes::new().class("minute", Class::fresh_for(Duration::from_secs(60)));
    let stated = &[("cache-control", "max-age=160"), ("age", "100")];
    for fields in [&[("age", "100")][..], stated] {
        for place in Place::both().await {
            let layer = place.layer().classes(classes()).class("minute");
            let layer = layer.build().expect("good options");
            let origin =
                Origin::new(
                    move |_| async move { Ok(response(fields, ScriptedBody::full("old"))) },
                );
            let cache = service(&layer, &origin);
            let miss = ask(&cache, get("/a")).await;
            assert_eq!(miss.field("age"), Some("100"));
            place.clock.advance(Duration::from_secs(59));
            let hit = ask(&cache, get("/a")).await;
            // Both have a second left: 60 since it came, or 160 since it was made.
            assert_eq!(hit.cache_status(), "tower-keep;hit;ttl=1");
            assert_eq!(hit.field("age"), Some("159"));
            place.clock.advance(Duration::from_secs(2));
            assert!(ask(&cache, get("/a")).await.cache_status().contains("fwd="));
            assert_eq!(origin.calls(), 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn caches_on_the_way_are_told_apart_by_their_names() {
    let origin = counting(MINUTE);
    let inner = CacheLayer::new(Store::memory());
    let outer = CacheLayer::builder(Store::memory()).cache_status_name("edge of town");
    let outer = outer.build().expect("good options");
    let mut cache = tower::Layer::layer(&outer, service(&inner, &origin));
    let mut said = async || {
        let response = tower::Service::call(&mut cache, get("/a")).await;
        let answer = response.expect("an answer");
        let lines = answer.headers().get_all("cache-status").iter();
        let lines: Vec<_> = lines.cloned().collect();
        read(answer).await;
        lines
    };
    assert_eq!(
        said().await,
        [
            "tower-keep;fwd=uri-miss;stored",
            "\"edge of town\";fwd=uri-miss;stored"
        ]
    );
    let hit = said().await;
    assert_eq!(hit.len(), 1);
    assert!(hit[0].as_bytes().starts_with(b"\"edge of town\";hit;ttl="));
}

#[tokio::test(flavor = "multi_thread")]
async fn unsafe_methods_invalidate_before_the_client_hears_of_them() {
    for place in Place::both().await {
        let origin = Origin::new({
            let calls = std::sync::atomic::AtomicUsize::new(0);
            move |request: http::Request<ScriptedBody>| {
                let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                let method = request.method().clone();
                async move {
                    let mut answer = response(MINUTE, ScriptedBody::full(call.to_string()));
                    match method.as_str() {
                        "DELETE" => *answer.status_mut() = StatusCode::FORBIDDEN,
                        "PUT" => {
                            let location = HeaderValue::from_static("http://example.com/b?c=d");
                            answer.headers_mut().insert("location", location);
                        }
                        _ => {}
                    }
                    Ok(answer)
                }
            }
        });
        let other = service(&CacheLayer::new(place.other_process().await), &origin);
        let cache = service(&place.layer().build().expect("good options"), &origin);
        for uri in ["/a", "/b?c=d"] {
            ask(&cache, get(uri)).await;
        }
        place.written(2).await;
        assert_eq!(
            ask(&other, get("/a")).await.text(),
            if place.server.is_some() { "1" } else { "3" }
        );
        let log = place.store.log();
        let (stamp, generation) = (log.stamp(), log.generation());
        ask(&cache, request("DELETE", "/a", &[])).await;
        // Whatever it might have left to the background has its turn.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!((log.stamp(), log.generation()), (stamp, generation));
        assert_eq!(
            ask(&cache, get("/a")).await.text(),
            "1",
            "a failed change changes nothing"
        );
        let put = ask(&cache, request("PUT", "/a", &[])).await;
        assert_eq!(put.cache_status(), "tower-keep;fwd=method");
        for (uri, old) in [("/a", "1"), ("/b?c=d", "2")] {
            let after = ask(&cache, get(uri)).await;
            assert!(
                after.text() != old && after.outcome == Some(Outcome::Miss),
                "{after:?}"
            );
        }
        tower_keep_test_support::eventually(LONG, async || {
            ask(&other, get("/a")).await.text() != "1"
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_have_it_already_get_304_and_head_gets_the_head() {
    for place in Place::both().await {
        let origin = counting(&[
            ("cache-control", "max-age=60"),
            ("content-type", "text/plain"),
        ]);
        let cache = service(&place.layer().build().expect("good options"), &origin);
        let cold_head = ask(&cache, request("HEAD", "/a", &[])).await;
        assert_eq!(cold_head.text(), "1", "the origin answers as it likes");
        let get_after_head = ask(&cache, get("/a")).await;
        assert_eq!(get_after_head.text(), "2", "a HEAD is no GET");
        let hit = ask(&cache, get("/a")).await;
        let tag = hit.field("etag").expect("a tag of ours").to_owned();
        let head = ask(&cache, request("HEAD", "/a", &[])).await;
        assert_eq!((head.text(), head.field("content-length")), ("", Some("1")));
        assert_eq!(head.field("etag"), Some(&*tag));
        let not_modified = ask(&cache, request("GET", "/a", &[("if-none-match", &tag)])).await;
        assert_eq!(not_modified.status, StatusCode::NOT_MODIFIED);
        assert_eq!(not_modified.text(), "");
        assert_eq!(not_modified.field("content-type"), None);
        assert_eq!(not_modified.field("etag"), Some(&*tag));
        assert_eq!(not_modified.field("cache-control"), Some("max-age=60"));
        assert_eq!(not_modified.field("age"), Some("0"));
        let other = ask(&cache, request("GET", "/a", &[("if-none-match", "\"x\"")])).await;
        assert_eq!((other.status, other.text()), (StatusCode::OK, "2"));
        assert_eq!(origin.calls(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_live_side_by_side_and_are_capped() {
    for place in Place::both().await {
        let origin = Origin::new(|request: http::Request<ScriptedBody>| {
            let language = request.headers().get("accept-language");
            let language = language
                .map_or("none", |value| value.to_str().expect("ASCII"))
                .to_owned();
            async move {
                let fields = [("cache-control", "max-age=60"), ("vary", "Accept-Language")];
                Ok(response(&fields, ScriptedBody::full(language)))
            }
        });
        let classes =
            Classes::new().class("few", Class::fresh_for(Duration::from_secs(60)).variants(2));
        let layer = place
            .layer()
            .classes(classes)
            .class("few")
            .build()
            .expect("good options");
        let cache = service(&layer, &origin);
        let asked = |language: &'static str| request("GET", "/a", &[("accept-language", language)]);
        for language in ["de", "en"] {
            assert_eq!(ask(&cache, asked(language)).await.text(), language);
        }
        for (language, stored) in [("de", "de"), ("EN", "en"), ("de ", "de")] {
            let hit = ask(&cache, asked(language)).await;
            assert_eq!((hit.text(), hit.outcome), (stored, Some(Outcome::Hit)));
        }
        place.written(4).await;
        assert_eq!(ask(&cache, get("/a")).await.text(), "none");
        assert_eq!(origin.calls(), 3);
        if let Some(server) = &place.server {
            // The store hears of it in the background.
            let unlinked = async || server.command_stats().contains_key("unlink");
            tower_keep_test_support::eventually(LONG, unlinked).await;
        }
        // The third took the place of the oldest.
        let de = ask(&cache, asked("de")).await;
        assert_eq!((de.text(), de.outcome), ("de", Some(Outcome::Miss)));
        assert_eq!(de.cache_status(), "tower-keep;fwd=vary-miss;stored");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_finds_the_right_variant() {
    let place = Place::redis().await;
    let origin = Origin::new(|request: http::Request<ScriptedBody>| {
        let flavour = request.headers().get("x-flavour").cloned();
        async move {
            let fields = [("cache-control", "max-age=60"), ("vary", "x-flavour")];
            let body = flavour.map_or(vec![], |value| value.as_bytes().to_vec());
            Ok(response(&fields, ScriptedBody::full(body)))
        }
    });
    let first = service(&CacheLayer::new(place.store.clone()), &origin);
    for flavour in ["sweet", "sour"] {
        ask(&first, request("GET", "/a", &[("x-flavour", flavour)])).await;
    }
    place.written(4).await;
    let second = service(&CacheLayer::new(place.other_process().await), &origin);
    for flavour in ["sour", "sweet", "sour"] {
        let hit = ask(&second, request("GET", "/a", &[("x-flavour", flavour)])).await;
        assert_eq!((hit.text(), hit.outcome), (flavour, Some(Outcome::Hit)));
    }
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_cookies_and_private_answers_are_never_stored() {
    let cases: [&'static [(&str, &str)]; 4] = [
        &[("cache-control", "max-age=60"), ("set-cookie", "id=1")],
        &[("cache-control", "max-age=60, Private")],
        &[("cache-control", "max-age=60"), ("vary", "*")],
        &[("cache-control", "max-age=60"), ("vary", "Cookie")],
    ];
    for fields in cases {
        let place = Place::memory();
        let origin = counting(fields);
        let cache = service(&place.layer().build().expect("good options"), &origin);
        for call in ["1", "2"] {
            assert_eq!(ask(&cache, get("/a")).await.text(), call, "{fields:?}");
        }
    }
    let place = Place::memory();
    let failing = Origin::new(|_| async {
        let mut answer = response(MINUTE, ScriptedBody::full("no"));
        *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        Ok(answer)
    });
    let cache = service(&place.layer().build().expect("good options"), &failing);
    for calls in 1..3 {
        let answer = ask(&cache, get("/a")).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(failing.calls(), calls);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_who_he_is_gets_only_what_is_declared_to_be_for_all() {
    for place in Place::both().await {
        let private = counting(MINUTE);
        let cache = service(&place.layer().build().expect("good options"), &private);
        let cookie = || request("GET", "/a", &[("cookie", "id=1")]);
        let bearer = || request("GET", "/a", &[("authorization", "Bearer x")]);
        assert_eq!(ask(&cache, get("/a")).await.text(), "1");
        assert_eq!(ask(&cache, cookie()).await.text(), "2");
        assert_eq!(ask(&cache, bearer()).await.text(), "3");
        assert_eq!(
            ask(&cache, get("/a")).await.text(),
            "1",
            "and nobody else gets theirs"
        );
        let public = counting(&[("cache-control", "public, max-age=60")]);
        let cache = service(&place.layer().build().expect("good options"), &public);
        let b = |fields: &[(&str, &str)]| request("GET", "/b", fields);
        assert_eq!(ask(&cache, b(&[("cookie", "id=1")])).await.text(), "1");
        assert_eq!(ask(&cache, b(&[])).await.text(), "1");
        assert_eq!(
            ask(&cache, b(&[("authorization", "Bearer x")]))
                .await
                .text(),
            "1"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_know_host_query_and_declared_parts() {
    let place = Place::memory();
    let origin = counting(MINUTE);
    let layer = place
        .layer()
        .query(QueryRules::all().ignore_tracking())
        .key_header(http::HeaderName::from_static("x-tenant"))
        .build()
        .expect("good options");
    let cache = service(&layer, &origin);
    let base = ask(&cache, get("/a?x=1")).await.body;
    assert_eq!(ask(&cache, get("/a?x=1&utm_source=mail")).await.body, base);
    for other in [
        get("/a?x=2"),
        get("/a"),
        get("/A?x=1"),
        request("GET", "/a?x=1", &[("x-tenant", "t")]),
        request("GET", "/a?x=1", &[("x-tenant", "")]),
    ] {
        assert_ne!(ask(&cache, other).await.body, base);
    }
    let mut elsewhere = get("/a?x=1");
    elsewhere
        .headers_mut()
        .insert("host", HeaderValue::from_static("evil.example"));
    assert_ne!(ask(&cache, elsewhere).await.body, base);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_to_bypass_leaves_the_cache_alone() {
    let place = Place::memory();
    let origin = counting(MINUTE);
    let layer = place
        .layer()
        .bypass_when(|request| request.headers.contains_key("x-bypass-cache"))
        .build()
        .expect("good options");
    let cache = service(&layer, &origin);
    assert_eq!(ask(&cache, get("/a")).await.text(), "1");
    let bypass = ask(&cache, request("GET", "/a", &[("x-bypass-cache", "1")])).await;
    assert_eq!(
        (bypass.text(), bypass.outcome),
        ("2", Some(Outcome::Bypass))
    );
    assert_eq!(
        bypass.cache_status(),
        "tower-keep;fwd=bypass;detail=bypass-when"
    );
    assert_eq!(ask(&cache, get("/a")).await.text(), "1");
    let only = |uri| request("GET", uri, &[("cache-control", "only-if-cached")]);
    assert_eq!(ask(&cache, only("/a")).await.text(), "1");
    assert_eq!(
        ask(&cache, only("/b")).await.status,
        StatusCode::GATEWAY_TIMEOUT
    );
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_come_on_the_miss_and_on_the_hit() {
    for place in Place::both().await {
        let origin = Origin::new(|_| async {
            let trailers = HeaderMap::from_iter([(
                http::HeaderName::from_static("x-sum"),
                HeaderValue::from_static("42"),
            )]);
            let body = ScriptedBody::frames(["one ", "two ", "three"]).trailers(trailers);
            Ok(response(MINUTE, body))
        });
        let cache = service(&place.layer().build().expect("good options"), &origin);
        for outcome in [Outcome::Miss, Outcome::Hit] {
            let answer = ask(&cache, get("/a")).await;
            assert_eq!(
                (answer.text(), answer.outcome),
                ("one two three", Some(outcome))
            );
            assert_eq!(answer.trailers.expect("trailers")["x-sum"], "42");
        }
        assert_eq!(origin.calls(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_too_long_or_not_what_they_promised_pass_and_are_not_stored() {
    let too_long = vec![7_u8; (1 << 20) + 1];
    for (fields, body) in [
        (
            MINUTE,
            ScriptedBody::frames([too_long.clone(), vec![1]]).unknown_length(),
        ),
        (
            &[("cache-control", "max-age=60"), ("content-length", "9")][..],
            ScriptedBody::full("short"),
        ),
    ] {
        let length = if fields.len() == 1 {
            too_long.len() + 1
        } else {
            5
        };
        let body = std::sync::Mutex::new(Some(body));
        let origin = Origin::new(move |_| {
            let body = body.lock().expect("no panic").take();
            let body = body.unwrap_or_else(|| ScriptedBody::full("again"));
            let answer = response(fields, body);
            async move { Ok(answer) }
        });
        let place = Place::memory();
        let cache = service(&place.layer().build().expect("good options"), &origin);
        assert_eq!(ask(&cache, get("/a")).await.body.len(), length);
        assert_eq!(ask(&cache, get("/a")).await.text(), "again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn corrupt_foreign_and_newer_records_are_misses_and_counted() {
    let place = Place::redis().await;
    let server = place.server.as_ref().expect("a server");
    let origin = counting(MINUTE);
    let first = service(&CacheLayer::new(place.store.clone()), &origin);
    ask(&first, get("/a")).await;
    place.written(1).await;
    let tower_keep_test_support::Reply::Array(Some(names)) = server.command(&["KEYS", "keep:c:*"])
    else {
        panic!("a list");
    };
    let name = names[0].text().expect("a key");
    for (call, damage) in [
        vec!["SETRANGE", &*name, "60", "XX"],
        vec!["SETRANGE", &*name, "2", "\x09"],
        vec!["SET", &*name, "hello"],
        vec!["SET", &*name, ""],
    ]
    .into_iter()
    .enumerate()
    {
        server.command(&damage);
        server.reset_stats();
        let layer = CacheLayer::new(place.other_process().await);
        let miss = ask(&service(&layer, &origin), get("/a")).await;
        assert_eq!(miss.text(), (call + 2).to_string(), "{damage:?}");
        assert_eq!(layer.handle().stats().unreadable, 1, "{damage:?}");
        place.written(1).await;
    }
    server.command(&["DEL", &name]);
    server.command(&["LPUSH", &name, "not a string"]);
    let layer = CacheLayer::new(place.other_process().await);
    assert_eq!(
        ask(&service(&layer, &origin), get("/a")).await.outcome,
        Some(Outcome::Miss)
    );
    assert_eq!(layer.handle().stats().failed_reads, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_requests_are_answered_and_break_nothing() {
    let place = Place::memory();
    let origin = counting(MINUTE);
    let cache = service(&place.layer().build().expect("good options"), &origin);
    let long = format!("/{}?{}", "p".repeat(4096), "q".repeat(4096));
    assert_eq!(ask(&cache, get(&long)).await.text(), "1");
    assert_eq!(ask(&cache, get(&long)).await.text(), "1");
    let mut bytes = get("/b");
    let strange = HeaderValue::from_bytes(b"\xff\xfe").expect("a value");
    for name in [
        "if-none-match",
        "cache-control",
        "accept-encoding",
        "accept-language",
        "if-modified-since",
    ] {
        let name: http::HeaderName = name.parse().expect("a name");
        bytes.headers_mut().insert(name, strange.clone());
    }
    assert_eq!(ask(&cache, bytes).await.status, StatusCode::OK);
    let mut no_host = get("/c");
    no_host.headers_mut().insert("host", strange);
    assert_eq!(ask(&cache, no_host).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_answers_bridge_a_refresh_and_an_error() {
    for place in Place::both().await {
        let failing = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let origin = Origin::new({
            let failing = failing.clone();
            let calls = std::sync::atomic::AtomicUsize::new(0);
            move |_| {
                let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                let fails = failing.load(std::sync::atomic::Ordering::SeqCst);
                async move {
                    let fields = "max-age=10, stale-while-revalidate=10, stale-if-error=60";
                    let body = ScriptedBody::full(call.to_string());
                    let mut answer = response(&[("cache-control", fields)], body);
                    if fails {
                        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    }
                    Ok(answer)
                }
            }
        });
        let cache = service(&place.layer().build().expect("good options"), &origin);
        ask(&cache, get("/a")).await;
        place.clock.advance(Duration::from_secs(15));
        let stale = ask(&cache, get("/a")).await;
        assert_eq!((stale.text(), stale.outcome), ("1", Some(Outcome::Stale)));
        assert_eq!(stale.cache_status(), "tower-keep;hit;ttl=-5");
        tower_keep_test_support::eventually(LONG, async || {
            ask(&cache, get("/a")).await.text() == "2"
        })
        .await;
        assert_eq!(origin.calls(), 2, "one refresh");
        failing.store(true, std::sync::atomic::Ordering::SeqCst);
        place.clock.advance(Duration::from_secs(30));
        let bridged = ask(&cache, get("/a")).await;
        assert_eq!(
            (bridged.text(), bridged.outcome),
            ("2", Some(Outcome::Stale))
        );
        assert_eq!(origin.calls(), 3);
        place.clock.advance(Duration::from_secs(60));
        assert_eq!(
            ask(&cache, get("/a")).await.status,
            StatusCode::SERVICE_UNAVAILABLE
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_can_be_switched_off() {
    let layer = CacheLayer::builder(Store::memory())
        .cache_status(CacheStatus::Off)
        .entity_tags(false)
        .build()
        .expect("good options");
    let cache = service(&layer, &counting(MINUTE));
    for _ in 0..2 {
        let answer = ask(&cache, get("/a")).await;
        assert_eq!(
            (answer.field("cache-status"), answer.field("etag")),
            (None, None)
        );
    }
}

#[test]
fn options_that_make_no_sense_are_named() {
    let fault = |builder: tower_keep_cache::CacheLayerBuilder| {
        builder.build().expect_err("a fault").to_string()
    };
    let builder = || CacheLayer::builder(Store::memory());
    assert!(fault(builder().first_level_bytes(1 << 20)).contains("first_level_bytes"));
    assert!(fault(builder().patience(Duration::ZERO)).contains("patience"));
    assert!(fault(builder().class("unheard of")).contains("unheard of"));
    assert!(fault(builder().cache_status_name("caf\u{e9}")).contains("cache_status_name"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_fails_is_an_error_whichever_way_the_request_took() {
    use tower::Service;
    use tower_keep_store::OutcomeCell;
    use tower_keep_test_support::OriginError;
    for method in ["GET", "HEAD", "OPTIONS", "POST"] {
        let origin = Origin::new(|_| async { Err(OriginError::numbered(7)) });
        let mut cache = service(&CacheLayer::new(Store::memory()), &origin);
        let cell = OutcomeCell::default();
        let mut asked = request(method, "/a", &[]);
        asked.extensions_mut().insert(cell.clone());
        let error = cache.call(asked).await.expect_err("the origin fails");
        assert_eq!(
            (error.number(), cell.get()),
            (7, Some(Outcome::Error)),
            "{method}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_within_the_same_layer_says_the_class_and_waits_for_nobody() {
    let place = Place::memory();
    let origin = counting(&[]);
    let classes = Classes::new().class("catalog", Class::fresh_for(Duration::from_secs(1800)));
    let layer = place
        .layer()
        .classes(classes)
        .build()
        .expect("good options");
    let of_class = layer.class("catalog").expect("a class");
    let mut cache = tower::Layer::layer(&layer, service(&of_class, &origin));
    for (text, status) in [
        ("1", "tower-keep;fwd=uri-miss;stored"),
        ("1", "tower-keep;hit;ttl=1800"),
    ] {
        let response = tower::Service::call(&mut cache, get("/a"));
        let answer = tokio::time::timeout(LONG / 2, response)
            .await
            .expect("no waiting");
        let answer = read(answer.expect("an answer")).await;
        assert_eq!((answer.text(), answer.cache_status()), (text, status));
    }
    // A change passes through both, and is one change.
    let before = place.store.log().stamp();
    let put = tower::Service::call(&mut cache, request("PUT", "/a", &[]));
    read(put.await.expect("an answer")).await;
    assert_eq!(place.store.log().stamp().position, before.position + 1);
}
