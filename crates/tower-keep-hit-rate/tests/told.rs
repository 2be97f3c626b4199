//! What the cache, an object cache and sessions tell, and what is made of it.

mod common;

use std::{borrow::Cow, convert::Infallible, time::Duration};

use http::Request;
use tower::{Layer, ServiceExt, service_fn};
use tower_keep_cache::{CacheLayer, Class, ObjectCache};
use tower_keep_hit_rate::{HitRateHandle, HitRateLayer, Kind, Verdict, WindowSnapshot, Worth};
use tower_keep_session::{SessionHandle, SessionLayer};
use tower_keep_store::{Clock, LookupKind, Store, Timestamp};
use tower_keep_test_support::{Origin, Random, RedisServer, ScriptedBody, eventually, seed};

use crate::common::{MILLI, ask, by_segment, get, place};

const LONG: Duration = Duration::from_secs(10);

/// An origin that says in its own words how long it takes: `/class/<key>` takes `key` milliseconds.
fn origin(clock: &Clock, control: &'static str) -> Origin<ScriptedBody> {
    let clock = clock.clone();
    Origin::new(move |request: Request<ScriptedBody>| {
        let clock = clock.clone();
        async move {
            clock.advance(MILLI * key(&request));
            let response = http::Response::builder()
                .header("cache-control", control)
                .header("server-timing", "db;dur=1");
            Ok(response
                .body(ScriptedBody::full("a page"))
                .expect("a response"))
        }
    })
}

fn key<B>(request: &Request<B>) -> u32 {
    let key = request.uri().path().rsplit('/').next();
    key.and_then(|key| key.parse().ok()).unwrap_or(1)
}

fn page(class: &str, key: u32) -> Request<ScriptedBody> {
    get(&format!("/{class}/{key}")).map(ScriptedBody::full)
}

fn of(handle: &HitRateHandle, class: &str) -> WindowSnapshot {
    let snapshot = handle.snapshot();
    snapshot.class(class).expect("seen").since_start.clone()
}

/// One process has fetched what the other one answers with.
#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_right_for_entries_that_another_process_has_fetched() {
    const KEYS: u32 = 100;
    let server = RedisServer::start();
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let mut random = Random::new(seed());
    let connect = async || {
        let builder = Store::builder().clock(clock.clone()).deadline(LONG);
        let store = builder.connect(&server.url()).expect("a good URL");
        eventually(LONG, async || store.log().is_current()).await;
        store
    };
    let [first, second] = [connect().await, connect().await];
    let origin = origin(&clock, "max-age=360000");
    let mut fetching = CacheLayer::new(first).layer(origin.clone());
    // Dear and cheap ones; of the others the second process has to fetch each itself.
    for key in (2..KEYS).step_by(2) {
        ask(&mut fetching, page("a", key)).await;
    }
    let written = u64::from(KEYS / 2 - 1);
    eventually(LONG, async || {
        server
            .command_stats()
            .get("set")
            .is_some_and(|sets| *sets >= written)
    })
    .await;

    let (layer, handle) = by_segment(second.clone()).build().expect("makes sense");
    let mut service = layer.layer(CacheLayer::new(second).layer(origin.clone()));
    let calls = origin.calls();
    let (mut truth, mut seen) = (0, [false; KEYS as usize]);
    for _ in 0..5_000 {
        let key = random.few(KEYS - 1).min(random.few(KEYS - 1)) + 1;
        let was_fetched = key.is_multiple_of(2) || std::mem::replace(&mut seen[key as usize], true);
        ask(&mut service, page("a", key)).await;
        truth += if was_fetched { key } else { 0 };
        clock.advance(10 * MILLI);
    }
    let of = of(&handle, "a");
    let (ledger, truth) = (of.ledger, f64::from(truth));
    println!("saved {} ms, in truth {truth} ms", ledger.saved_ms);
    assert!((ledger.saved_ms - truth).abs() <= 0.05 * truth);
    assert_eq!(ledger.unpriced_hits, 0);
    assert_eq!(of.origin_calls, (origin.calls() - calls) as u64);
    assert_eq!(of.outcomes.miss, of.origin_calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_the_background_are_calls() {
    let (store, clock) = place();
    let (layer, handle) = by_segment(store.clone()).build().expect("makes sense");
    let origin = origin(&clock, "max-age=10, stale-while-revalidate=100");
    let mut service = layer.layer(CacheLayer::new(store).layer(origin.clone()));
    for round in 1..=5 {
        ask(&mut service, page("a", 1)).await;
        eventually(LONG, async || origin.calls() == round).await;
        clock.advance(Duration::from_secs(60));
    }
    let of = of(&handle, "a");
    assert_eq!((of.outcomes.miss, of.outcomes.stale), (1, 4));
    assert_eq!((of.origin_calls, of.offload), (5, Some(0.0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn misses_that_may_not_be_stored_are_counted() {
    let (store, clock) = place();
    let (layer, handle) = by_segment(store.clone()).build().expect("makes sense");
    for (control, requests) in [("no-store", 9), ("max-age=60", 2)] {
        let cache = CacheLayer::new(store.clone());
        let mut service = layer.layer(cache.layer(origin(&clock, control)));
        for _ in 0..requests {
            ask(&mut service, page("a", requests)).await;
        }
    }
    let of = of(&handle, "a");
    assert_eq!((of.outcomes.miss, of.outcomes.hit), (10, 1));
    assert_eq!(of.misses_not_stored, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_only_come_from_the_cache_is_no_lookup_if_it_is_not_there() {
    let (store, clock) = place();
    let (layer, handle) = by_segment(store.clone()).build().expect("makes sense");
    let mut service = layer.layer(CacheLayer::new(store).layer(origin(&clock, "max-age=60")));
    for only in [true, false, true] {
        let mut request = page("a", 1);
        if only {
            let only = "only-if-cached".parse().expect("a value");
            request.headers_mut().insert("cache-control", only);
        }
        ask(&mut service, request).await;
    }
    let of = of(&handle, "a");
    let found = (of.outcomes.rejected, of.outcomes.miss, of.outcomes.hit);
    assert_eq!((found, of.lookups, of.origin_calls), ((1, 1, 1), 2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_it_is_told_what_took_how_long() {
    let (store, clock) = place();
    let builder = by_segment(store.clone());
    let (layer, _handle) = builder
        .server_timing(|head| head.headers.contains_key("x-operator"))
        .build()
        .expect("makes sense");
    let cache = CacheLayer::builder(store).build().expect("makes sense");
    let mut service = layer.layer(cache.layer(origin(&clock, "max-age=60")));
    for (is_operator, told) in [
        (
            true,
            vec!["db;dur=1", "cache;desc=miss;dur=0, origin;dur=30"],
        ),
        (
            true,
            vec!["db;dur=1", "cache;desc=hit;dur=0, origin;dur=30"],
        ),
        (false, vec!["db;dur=1"]),
    ] {
        let mut request = page("a", 30);
        if is_operator {
            let yes = "yes".parse().expect("a value");
            request.headers_mut().insert("x-operator", yes);
        }
        let response = ask(&mut service, request).await;
        let timing = response.headers().get_all("server-timing");
        assert_eq!(timing.iter().collect::<Vec<_>>(), told);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_classes_of_their_own() {
    let (store, clock) = place();
    let builder = by_segment(store.clone()).least_lookups(20);
    let (layer, handle) = builder.build().expect("makes sense");
    let hour = Class::fresh_for(Duration::from_secs(3600));
    let jobs = ObjectCache::<String>::of_class(store.clone(), "jobs", hour);
    let jobs = jobs.expect("a good class");
    let mut service = layer.layer(CacheLayer::new(store).layer(origin(&clock, "no-store")));
    let load = async |key: u32| {
        let loading = || async {
            clock.advance(50 * MILLI);
            Ok::<_, Infallible>("a job".to_owned())
        };
        let key = key.to_string();
        jobs.get_or_load(key.as_str(), &[], loading)
            .await
            .expect("loads");
    };
    ask(&mut service, page("jobs", 1)).await;
    for second in 0..200 {
        load(second % 2).await;
        clock.advance(Duration::from_secs(1));
    }
    let snapshot = handle.snapshot();
    assert_eq!((snapshot.requests, snapshot.in_flight), (1, 0));
    let http = snapshot.class("jobs").expect("seen");
    assert_eq!(
        (http.kind, http.since_start.outcomes.sum()),
        (Kind::Http, 1)
    );
    let objects = snapshot.class_of(Kind::Objects, "jobs").expect("seen");
    let of = &objects.since_start;
    assert_eq!((of.outcomes.hit, of.outcomes.miss), (198, 2));
    assert_eq!((of.origin_calls, of.ledger.saved_ms), (2, 198.0 * 50.0));
    assert_eq!(objects.verdict, Verdict::Excellent);
    assert_eq!(objects.worth, Worth::WorthIt);
    assert_eq!(objects.miss_latency.expect("measured").count, 2);
    assert!(!objects.ladder.is_empty());
    assert_eq!(snapshot.hot_keys.len(), 1, "of requests only");
    let json = serde_json::to_value(&snapshot).expect("serialises");
    assert_eq!(json["classes"][0]["kind"], "objects");
    let text = handle.prometheus();
    let line = "tower_keep_requests_total{class=\"jobs\",kind=\"objects\",outcome=\"hit\"} 198";
    assert!(text.lines().any(|it| it == line), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_counted_and_not_judged() {
    let (store, clock) = place();
    let builder = by_segment(store.clone()).least_lookups(1);
    let (_layer, handle) = builder
        .warm_up(Duration::ZERO)
        .build()
        .expect("makes sense");
    let visits = service_fn(async |request: Request<String>| {
        let handle = SessionHandle::of(request.extensions()).expect("left by the layer");
        let session = handle.load().await.expect("the store answers");
        session.increment("visits", 1).await.expect("a number");
        Ok::<_, Infallible>(http::Response::new(String::new()))
    });
    let service = SessionLayer::new(store).layer(visits);
    let mut cookie = None;
    for _ in 0..30 {
        let mut request = Request::builder().uri("https://example.com/");
        if let Some(cookie) = &cookie {
            request = request.header("cookie", cookie);
        }
        let request = request.body(String::new()).expect("a request");
        let response = service.clone().oneshot(request).await.expect("an answer");
        if let Some(set) = response.headers().get("set-cookie") {
            let set = set.to_str().expect("visible ASCII");
            cookie = set.split(';').next().map(str::to_owned);
        }
        clock.advance(Duration::from_secs(1));
    }
    let snapshot = handle.snapshot();
    assert_eq!((snapshot.requests, snapshot.in_flight), (0, 0));
    let sessions = snapshot.class_of(Kind::Sessions, "sessions").expect("seen");
    let of = &sessions.since_start;
    assert_eq!((of.outcomes.hit, of.lookups, of.origin_calls), (29, 29, 0));
    assert_eq!((of.hit_rate, of.offload), (Some(1.0), None));
    assert_eq!((of.ledger.saved_ms, of.ledger.cost_ms), (0.0, 0.0));
    assert_eq!(sessions.verdict, Verdict::NoData);
    assert_eq!(sessions.worth, Worth::NoData);
    assert!(sessions.ladder.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_told_nothing() {
    let store = Store::memory();
    let watches = || store.watch(LookupKind::Objects, "a", b"key");
    let (layer, handle) = HitRateLayer::pair(store.clone());
    drop(layer);
    assert!(watches().is_some());
    drop(handle);
    drop(watches());
    assert!(watches().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_room_is_told() {
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::builder()
        .clock(clock.clone())
        .memory_limit(8 << 20)
        .memory();
    let (_layer, handle) = HitRateLayer::pair(store.clone());
    let second = tower_keep_store::Key::new("example", b"a");
    store
        .put(&second, "value".into(), Duration::from_secs(1))
        .await
        .expect("embedded");
    clock.advance(Duration::from_secs(2));
    assert_eq!(store.get(&second).await.expect("embedded"), None);
    for number in 0..200_u32 {
        let key = tower_keep_store::Key::new("example", &number.to_be_bytes());
        let value = vec![0; 100_000].into();
        store.put(&key, value, LONG).await.expect("embedded");
    }
    let snapshot = handle.snapshot();
    let [first, embedded] = &snapshot.evictions[..] else {
        panic!("two levels");
    };
    assert_eq!((first.level, first.evicted, first.expired), ("first", 0, 0));
    assert_eq!((embedded.level, embedded.expired), ("embedded", 1));
    assert!(embedded.evicted >= 100, "{embedded:?}");
    let line = "tower_keep_evictions_total{level=\"embedded\",reason=\"expired\"} 1";
    assert!(handle.prometheus().lines().any(|it| it == line));
}

#[test]
fn labels_of_all_kinds_together_are_bounded() {
    let (store, _) = place();
    let (layer, handle) = HitRateLayer::builder(store.clone())
        .label(|head| Some(Cow::Owned(head.uri.path().to_owned())))
        .build()
        .expect("makes sense");
    let told = |kind, label: &str| {
        let watch = store.watch(kind, label, b"key").expect("observed");
        watch.tell(tower_keep_store::Outcome::Hit.into());
    };
    for number in 0..1000 {
        told(LookupKind::Objects, &format!("class {number}"));
        told(LookupKind::Sessions, &format!("class {number}"));
    }
    drop(layer);
    let snapshot = handle.snapshot();
    assert!(snapshot.classes.len() <= 256, "{}", snapshot.classes.len());
    let other = |kind| snapshot.class_of(kind, "other").expect("too many");
    let others = [Kind::Objects, Kind::Sessions].map(|kind| other(kind).since_start.lookups);
    assert_eq!(others.iter().sum::<u64>(), 2000 - 252);
}
