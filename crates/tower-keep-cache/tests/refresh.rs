//! What is refreshed in the background: shortly before its end, softly invalidated, by whom, and how often.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, StatusCode};
use tokio::time::timeout;
use tower_keep_cache::{
    Cache, CacheDirective, CacheLayer, CacheLayerBuilder, CachePolicy, Class, Classes, Tag,
};
use tower_keep_store::{Clock, Mode, Outcome, Store, Timestamp};
use tower_keep_test_support::{Gate, Origin, RedisServer, ScriptedBody, eventually};

use self::common::*;

/// An origin whose first answer takes these seconds of the clock, and whose others wait at the gate.
fn slow_once(clock: &Clock, secs: u64, gate: &Gate) -> Origin<ScriptedBody> {
    let (clock, gate) = (clock.clone(), gate.clone());
    let calls = AtomicUsize::new(0);
    Origin::new(move |_| {
        let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
        let (clock, passed) = (clock.clone(), gate.pass());
        async move {
            match call {
                1 => clock.advance(Duration::from_secs(secs)),
                _ => passed.await,
            }
            Ok(response(&[], ScriptedBody::full(call.to_string())))
        }
    })
}

fn page(layer: CacheLayerBuilder, class: Class) -> CacheLayer {
    let layer = layer.classes(Classes::new().class("page", class));
    layer.class("page").build().expect("good options")
}

fn minute() -> Class {
    Class::fresh_for(Duration::from_secs(60))
}

/// To a microsecond before the end of what was stored now for a minute: then practically every lot wins.
fn to_the_end(clock: &Clock) {
    clock.advance(Duration::from_secs(60) - Duration::from_micros(1));
}

async fn asks(cache: &Cache<Origin<ScriptedBody>>, times: usize) -> Vec<(String, Outcome)> {
    let mut answers = Vec::new();
    for _ in 0..times {
        let answer = ask(cache, get("/a")).await;
        answers.push((answer.text().to_owned(), answer.outcome.expect("told")));
    }
    answers.dedup();
    answers
}

fn all(text: &str, outcome: Outcome) -> Vec<(String, Outcome)> {
    vec![(text.to_owned(), outcome)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_requests_around_the_end_make_one_call_and_nobody_waits() {
    for place in Place::both().await {
        let gate = Gate::closed();
        let origin = slow_once(&place.clock, 10, &gate);
        let layer = page(place.layer(), minute());
        let cache = service(&layer, &origin);
        ask(&cache, get("/a")).await;
        place.written(1).await;
        assert_eq!(asks(&cache, 50).await, all("1", Outcome::Hit));
        assert_eq!(origin.calls(), 1, "there is plenty of time");
        to_the_end(&place.clock);
        // The origin holds its answer back, and all are answered.
        assert_eq!(asks(&cache, 50).await, all("1", Outcome::Hit));
        eventually(LONG, async || gate.waiters() == 1).await;
        assert_eq!(asks(&cache, 5).await, all("1", Outcome::Hit));
        gate.open();
        eventually(LONG, async || layer.handle().stats().in_flight == 0).await;
        place.clock.advance(Duration::from_secs(1));
        assert_eq!(asks(&cache, 50).await, all("2", Outcome::Hit));
        assert_eq!(origin.calls(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_has_refreshed_is_taken_from_the_store() {
    let place = Place::redis().await;
    let origin = slow_once(&place.clock, 10, &Gate::opened());
    let here = service(&page(place.layer(), minute()), &origin);
    let there = CacheLayer::builder(place.other_process().await);
    let there = service(&page(there, minute()), &origin);
    ask(&here, get("/a")).await;
    place.written(1).await;
    assert_eq!(asks(&there, 1).await, all("1", Outcome::Hit));
    to_the_end(&place.clock);
    assert_eq!(asks(&here, 1).await, all("1", Outcome::Hit));
    place.written(2).await;
    assert_eq!(asks(&there, 1).await, all("1", Outcome::Hit));
    eventually(LONG, async || {
        asks(&there, 1).await == all("2", Outcome::Hit)
    })
    .await;
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_kept_in_the_store_only_is_refreshed_early_too() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = slow_once(&place.clock, 10, &gate);
    let layer = page(place.layer(), minute().first_level(false));
    let cache = service(&layer, &origin);
    ask(&cache, get("/a")).await;
    place.written(1).await;
    to_the_end(&place.clock);
    assert_eq!(asks(&cache, 20).await, all("1", Outcome::Hit));
    eventually(LONG, async || gate.waiters() == 1).await;
    assert_eq!(asks(&cache, 20).await, all("1", Outcome::Hit));
    gate.open();
    place.written(2).await;
    assert_eq!(asks(&cache, 20).await, all("2", Outcome::Hit));
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_down_the_origin_is_asked_and_nobody_waits() {
    let mut server = RedisServer::start();
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::builder().clock(clock.clone()).staleness_bound(LONG);
    let store = store.connect(&server.url()).expect("a good URL");
    eventually(LONG, async || store.log().is_current()).await;
    let gate = Gate::closed();
    let origin = slow_once(&clock, 10, &gate);
    let layer = page(CacheLayer::builder(store), minute());
    let cache = service(&layer, &origin);
    ask(&cache, get("/a")).await;
    server.kill();
    to_the_end(&clock);
    assert_eq!(asks(&cache, 20).await, all("1", Outcome::Hit));
    gate.open();
    eventually(LONG, async || {
        asks(&cache, 1).await == all("2", Outcome::Hit)
    })
    .await;
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_early_refresh_the_end_is_the_end() {
    let place = Place::memory();
    let origin = slow_once(&place.clock, 10, &Gate::opened());
    let cache = service(&page(place.layer(), minute().early_refresh(0.0)), &origin);
    ask(&cache, get("/a")).await;
    to_the_end(&place.clock);
    assert_eq!(asks(&cache, 50).await, all("1", Outcome::Hit));
    place.clock.advance(Duration::from_micros(1));
    assert_eq!(asks(&cache, 1).await, all("2", Outcome::Miss));
}

/// An origin whose first answer takes 50 s, and which fails when it is told to, in a way that may be stored.
fn failing(clock: &Clock, fails: &Arc<AtomicBool>) -> Origin<ScriptedBody> {
    let (clock, fails) = (clock.clone(), fails.clone());
    let calls = AtomicUsize::new(0);
    Origin::new(move |_| {
        let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
        let (clock, fails) = (clock.clone(), fails.load(Ordering::SeqCst));
        async move {
            if call == 1 {
                clock.advance(Duration::from_secs(50));
            }
            let mut answer = response(&[], ScriptedBody::full(call.to_string()));
            let mut directive = CacheDirective::class("page");
            if fails {
                directive = CacheDirective::new();
                *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                let minute = "max-age=60".parse().expect("a value");
                answer.headers_mut().insert("cache-control", minute);
            }
            let directive = directive.tag(Tag::new("t"));
            answer.extensions_mut().insert(directive);
            Ok(answer)
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_refresh_that_fails_changes_nothing_and_is_not_repeated_at_once() {
    let place = Place::memory();
    let fails = Arc::new(AtomicBool::new(false));
    let origin = failing(&place.clock, &fails);
    let layer = page(place.layer().policy(CachePolicy::rfc9111()), minute());
    let cache = service(&layer, &origin);
    ask(&cache, get("/a")).await;
    fails.store(true, Ordering::SeqCst);
    place.clock.advance(Duration::from_secs(57));
    for calls in [2, 3] {
        // With 3 s left of a lead of 50 s, one in 17 loses its lot.
        assert_eq!(asks(&cache, 50).await, all("1", Outcome::Hit));
        eventually(LONG, async || origin.calls() == calls).await;
        eventually(LONG, async || layer.handle().stats().in_flight == 0).await;
        assert_eq!(asks(&cache, 50).await, all("1", Outcome::Hit));
        assert_eq!(origin.calls(), calls, "it is left alone for a second");
        place.clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_softly_invalid_answers_while_it_is_refreshed_and_a_dead_origin_is_left_alone() {
    let window = Duration::from_secs(20);
    let class = minute().stale_while_revalidate(window);
    for (place, class) in [
        (Place::memory(), class.clone()),
        (Place::redis().await, class.clone()),
        (Place::redis().await, class.first_level(false)),
    ] {
        let fails = Arc::new(AtomicBool::new(false));
        let origin = failing(&place.clock, &fails);
        let layer = page(place.layer(), class);
        let (cache, handle) = (service(&layer, &origin), layer.handle());
        ask(&cache, get("/a")).await;
        place.written(1).await;
        fails.store(true, Ordering::SeqCst);
        let soft = handle.invalidate([Tag::new("t")], Mode::Soft);
        soft.await.expect("written");
        for calls in [2, 3] {
            assert_eq!(asks(&cache, 1).await, all("1", Outcome::Stale));
            eventually(LONG, async || origin.calls() == calls).await;
            eventually(LONG, async || handle.stats().in_flight == 0).await;
            assert_eq!(asks(&cache, 20).await, all("1", Outcome::Stale));
            assert_eq!(origin.calls(), calls, "it is left alone for a second");
            place.clock.advance(Duration::from_secs(1));
        }
        fails.store(false, Ordering::SeqCst);
        assert_eq!(asks(&cache, 1).await, all("1", Outcome::Stale));
        eventually(LONG, async || {
            asks(&cache, 1).await == all("4", Outcome::Hit)
        })
        .await;
        let hard = handle.invalidate([Tag::new("t")], Mode::Hard);
        hard.await.expect("written");
        assert_eq!(asks(&cache, 1).await, all("5", Outcome::Miss));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_are_bounded_and_those_that_find_no_room_are_counted() {
    let place = Place::memory();
    let gate = Gate::opened();
    let fields = &[("cache-control", "max-age=60, stale-while-revalidate=60")];
    let origin = gated(&gate, fields);
    let layer = place.layer().build().expect("good options");
    let cache = service(&layer, &origin);
    for i in 0..70 {
        ask(&cache, get(&format!("/{i}"))).await;
    }
    place.clock.advance(Duration::from_secs(61));
    gate.close();
    for i in 0..70 {
        let answer = ask(&cache, get(&format!("/{i}"))).await;
        assert_eq!(answer.outcome, Some(Outcome::Stale));
    }
    eventually(LONG, async || gate.waiters() == 64).await;
    let stats = layer.handle().stats();
    assert_eq!((stats.unrefreshed, stats.in_flight), (6, 64));
}

/// "A proxy … MUST pass cache directives through in forwarded messages" (RFC 9111 §5.2); a refresh is none.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_says_of_its_own_answer_is_not_said_of_the_refresh() {
    let own: [&[(&str, &str)]; 6] = [
        &[("cache-control", "no-cache, max-age=0")],
        &[("pragma", "no-cache")],
        &[("cache-control", "only-if-cached, no-store")],
        &[("if-none-match", "\"client\"")],
        &[("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT")],
        &[("range", "bytes=0-0"), ("if-range", "\"client\"")],
    ];
    let window = minute().stale_while_revalidate(Duration::from_secs(60));
    for (place, class, count) in [
        (Place::memory(), window.clone(), own.len()),
        (Place::redis().await, window.clone(), own.len()),
        // The others refresh only what the process has.
        (Place::redis().await, window.first_level(false), 2),
    ] {
        let origin = slow_once(&place.clock, 0, &Gate::opened());
        let cache = service(&page(place.layer(), class.clone()), &origin);
        ask(&cache, get("/a")).await;
        place.written(1).await;
        for (calls, fields) in (2..).zip(&own[..count]) {
            place.clock.advance(Duration::from_secs(61));
            let with_another = [*fields, &[("accept-language", "en")]].concat();
            let stale = ask(&cache, request("GET", "/a", &with_another)).await;
            assert_eq!(stale.outcome, Some(Outcome::Stale), "{fields:?}");
            eventually(LONG, async || origin.calls() == calls).await;
            let seen = origin.seen().pop().expect("a call").headers;
            for (name, value) in *fields {
                let sent = seen.get(*name);
                assert!(sent.is_none_or(|sent| sent != value), "{name}: {value}");
            }
            assert_eq!(seen["accept-language"], "en", "what selects is kept");
            let is_anew = async || asks(&cache, 1).await == all(&calls.to_string(), Outcome::Hit);
            eventually(LONG, is_anew).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_refresh_of_what_had_to_make_room_here() {
    let place = Place::redis().await;
    let gate = Gate::opened();
    let origin = Origin::new({
        let gate = gate.clone();
        move |request: Request<ScriptedBody>| {
            let is_gated = request.uri().path() == "/a";
            let passed = is_gated.then(|| gate.pass());
            let page = vec![b'x'; if is_gated { 4 } else { 1 << 17 }];
            async move {
                if let Some(passed) = passed {
                    passed.await;
                }
                Ok(response(&[], ScriptedBody::full(page)))
            }
        }
    });
    let class = minute().stale_while_revalidate(Duration::from_secs(60));
    let layer = place.layer().first_level_bytes(8 << 20);
    let layer = page(layer.patience(Duration::from_secs(3600)), class);
    let cache = service(&layer, &origin);
    ask(&cache, get("/a")).await;
    place.written(1).await;
    gate.close();
    place.clock.advance(Duration::from_secs(61));
    assert_eq!(ask(&cache, get("/a")).await.outcome, Some(Outcome::Stale));
    eventually(LONG, async || gate.waiters() == 1).await;
    for i in 0..200 {
        // What is asked for twice takes the room of what is not asked for again.
        for _ in 0..2 {
            ask(&cache, get(&format!("/{i}"))).await;
        }
    }
    let asked = timeout(LONG, ask(&cache, get("/a"))).await;
    let answer = asked.expect("nobody waits for the origin");
    assert_eq!(answer.outcome, Some(Outcome::Stale));
}
