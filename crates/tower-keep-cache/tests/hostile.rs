//! What an attacker, a race, or an origin in trouble would try.

mod common;

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use tokio::sync::mpsc;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_keep_cache::{CacheLayer, Class, Classes, ObjectCache, QueryRules, Tag};
use tower_keep_store::{Mode, Outcome, Store, Target};
use tower_keep_test_support::{Gate, Origin, RedisServer, Reply, ScriptedBody, eventually};

use self::common::*;

const MINUTE: &[(&str, &str)] = &[("cache-control", "max-age=60")];

fn hour() -> Class {
    Class::fresh_for(Duration::from_secs(3600))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoded_parameter_cannot_poison_the_page_without_it() {
    let place = Place::memory();
    // It decodes, as every form decoder does.
    let origin = Origin::new(|request: Request<ScriptedBody>| {
        let query = request.uri().query().unwrap_or("").replace("%61", "a");
        async move { Ok(response(MINUTE, ScriptedBody::full(query))) }
    });
    let layer = place
        .layer()
        .query(QueryRules::only(["a"]))
        .build()
        .expect("good options");
    let cache = service(&layer, &origin);
    assert_eq!(ask(&cache, get("/?%61=evil")).await.text(), "a=evil");
    assert_eq!(ask(&cache, get("/")).await.text(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_host_reaches_only_those_who_sent_it() {
    let place = Place::memory();
    let origin = Origin::new(|request: Request<ScriptedBody>| {
        let headers = request.headers();
        let host = headers.get("x-forwarded-host").unwrap_or(&headers["host"]);
        let link = format!("https://{}/app.js", host.to_str().expect("ASCII"));
        async move { Ok(response(MINUTE, ScriptedBody::full(link))) }
    });
    let cache = service(&place.layer().build().expect("good options"), &origin);
    ask(
        &cache,
        request("GET", "/a", &[("x-forwarded-host", "evil.example")]),
    )
    .await;
    assert_eq!(
        ask(&cache, get("/a")).await.text(),
        "https://example.com/app.js"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_https_is_not_served_to_those_who_are_there() {
    let place = Place::memory();
    let classes = Classes::new().class("c", hour());
    let origin = Origin::new(|request: Request<ScriptedBody>| {
        let is_https = request.headers()["x-forwarded-proto"] == "https";
        async move {
            let mut answer = response(&[], ScriptedBody::full("page"));
            if !is_https {
                *answer.status_mut() = StatusCode::PERMANENT_REDIRECT;
            }
            Ok(answer)
        }
    });
    let layer = place
        .layer()
        .classes(classes)
        .class("c")
        .build()
        .expect("good options");
    let cache = service(&layer, &origin);
    let by = |scheme| request("GET", "/a", &[("x-forwarded-proto", scheme)]);
    ask(&cache, by("http")).await;
    assert_eq!(ask(&cache, by("https")).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_language_that_origins_read_differently_poisons_no_other() {
    let place = Place::memory();
    // A strict origin drops what it cannot read.
    let origin = Origin::new(|request: Request<ScriptedBody>| {
        let asked = request.headers()["accept-language"]
            .to_str()
            .expect("ASCII")
            .to_owned();
        let weighed = asked.split(',').filter_map(|member| {
            let (language, weight) = member.trim().split_once(';').unwrap_or((member, "q=1"));
            let weight: f32 = weight.strip_prefix("q=")?.parse().ok()?;
            Some((weight, language.to_owned()))
        });
        let best = weighed.max_by(|a, b| a.0.total_cmp(&b.0)).expect("one").1;
        async move {
            let fields = [("cache-control", "max-age=60"), ("vary", "accept-language")];
            Ok(response(&fields, ScriptedBody::full(best)))
        }
    });
    let cache = service(&place.layer().build().expect("good options"), &origin);
    let of = |languages| request("GET", "/a", &[("accept-language", languages)]);
    ask(&cache, of("de;x=1, en;q=0.5")).await;
    assert_eq!(ask(&cache, of("de, en;q=0.5")).await.text(), "de");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_restriction_is_a_restriction() {
    for control in [
        "no-store; max-age=0",
        "private;max-age=60",
        "\"no-store\"",
        "no-store private",
    ] {
        let place = Place::memory();
        let origin = Origin::new(move |_| async move {
            Ok(response(
                &[("cache-control", control)],
                ScriptedBody::empty(),
            ))
        });
        let classes = Classes::new().class("c", hour());
        let layer = place
            .layer()
            .classes(classes)
            .class("c")
            .build()
            .expect("good options");
        let cache = service(&layer, &origin);
        for calls in 1..3 {
            ask(&cache, get("/a")).await;
            assert_eq!(origin.calls(), calls, "{control}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_part_of_the_key_does_not_stand_in_redis() {
    let place = Place::redis().await;
    let origin = counting(&[("cache-control", "public, max-age=60")]);
    let cookie =
        |request: &http::request::Parts| Some(request.headers.get("cookie")?.as_bytes().to_vec());
    let layer = place
        .layer()
        .key_part(cookie)
        .build()
        .expect("good options");
    let cache = service(&layer, &origin);
    ask(&cache, request("GET", "/a", &[("cookie", "sid=topsecret")])).await;
    place.written(1).await;
    let server = place.server.as_ref().expect("a server");
    let Reply::Array(Some(names)) = server.command(&["KEYS", "keep:c:*"]) else {
        panic!("KEYS answers with a list");
    };
    let Reply::Bulk(Some(record)) = server.command(&["GET", &names[0].text().expect("a name")])
    else {
        panic!("there is a record");
    };
    assert!(!String::from_utf8_lossy(&record).contains("topsecret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_layers_with_names_of_their_own_do_not_share() {
    let place = Place::redis().await;
    let [one, other] = ["one", "other"].map(|name| {
        let layer = place.layer().name(name).build().expect("good options");
        service(&layer, &counting(MINUTE))
    });
    ask(&one, get("/x")).await;
    place.written(1).await;
    assert_eq!(ask(&other, get("/x")).await.outcome, Some(Outcome::Miss));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_goes_unheard() {
    let changes: [(&str, &[(&str, &str)]); 3] = [
        ("/a", &[("content-type", "application/grpc")]),
        ("/a", &[("host", "example.com")]),
        ("/", &[]),
    ];
    for (uri, fields) in changes {
        let place = Place::memory();
        let calls = AtomicUsize::new(0);
        let origin = Origin::new(move |request: Request<ScriptedBody>| {
            let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
            let is_root = request.uri() == "/";
            async move {
                let mut answer = response(MINUTE, ScriptedBody::full(call.to_string()));
                if is_root {
                    // Relative to the request's own URI.
                    let location = http::HeaderValue::from_static("x/../a");
                    answer.headers_mut().insert("content-location", location);
                }
                Ok(answer)
            }
        });
        let cache = service(&place.layer().build().expect("good options"), &origin);
        ask(&cache, get("/a")).await;
        ask(&cache, request("DELETE", uri, fields)).await;
        assert_eq!(ask(&cache, get("/a")).await.text(), "3", "{uri} {fields:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_ends_in_an_error_may_have_been_made() {
    let place = Place::memory();
    let value = Arc::new(AtomicUsize::new(1));
    let origin = service_fn({
        let value = value.clone();
        move |request: Request<ScriptedBody>| {
            let value = value.clone();
            async move {
                if request.method() == "PUT" {
                    // Committed; then a time-out further in.
                    value.store(2, Ordering::SeqCst);
                    return Err(BoxError::from("timed out"));
                }
                let body = ScriptedBody::full(value.load(Ordering::SeqCst).to_string());
                Ok(response(MINUTE, body))
            }
        }
    });
    let cache = place.layer().build().expect("good options").layer(origin);
    let ask = |request| cache.clone().oneshot(request);
    assert_eq!(
        read(ask(get("/a")).await.expect("an answer")).await.text(),
        "1"
    );
    assert!(ask(request("PUT", "/a", &[])).await.is_err());
    assert_eq!(
        read(ask(get("/a")).await.expect("an answer")).await.text(),
        "2"
    );
}

/// A service that is never ready.
#[derive(Clone)]
struct Full;

impl Service<Request<ScriptedBody>> for Full {
    type Response = Response<ScriptedBody>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<ScriptedBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request<ScriptedBody>) -> Self::Future {
        panic!("it was never ready")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_reached_nobody_purges_nothing() {
    let place = Place::memory();
    let mut cache = place.layer().build().expect("good options").layer(Full);
    let generation = place.store.log().generation();
    let mut waiting = Box::pin(cache.call(request("PUT", "/a", &[])));
    poll_fn(|cx| {
        assert!(waiting.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    drop(waiting);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(place.store.log().generation(), generation);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_made_before_its_class_was_invalidated_is_not_kept() {
    let place = Place::memory();
    let objects: ObjectCache<u32> =
        ObjectCache::of_class(place.store.clone(), "profile", hour()).expect("a good class");
    let gate = Gate::closed();
    let writing = tokio::spawn({
        let (objects, gate) = (objects.clone(), gate.clone());
        async move {
            let change = async {
                gate.pass().await;
                Ok::<_, Infallible>(1)
            };
            objects.write("k", &[], change).await
        }
    });
    eventually(LONG, async || gate.waiters() == 1).await;
    let class = Target::new("class", b"profile");
    place
        .store
        .log()
        .append(&[class], Mode::Hard, LONG)
        .await
        .expect("embedded");
    gate.open();
    let Ok(written) = writing.await.expect("no panic");
    written.told.expect("embedded");
    let load = || async { Ok::<_, Infallible>(2) };
    assert_eq!(objects.get_or_load("k", &[], load).await, Ok(Arc::new(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looked_before_an_entry_was_stored_looks_again_before_it_fetches() {
    for place in Place::both().await {
        let origin = counting(MINUTE);
        let mut cache = service(&place.layer().build().expect("good options"), &origin);
        let [one, two] = [cache.call(get("/a")), cache.call(get("/a"))];
        read(one.await.expect("an answer")).await;
        read(two.await.expect("an answer")).await;
        assert_eq!(origin.calls(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn truly_parallel_cold_requests_make_one_call_each_round() {
    let place = Place::memory();
    let origin = counting(MINUTE);
    let layer = place.layer().build().expect("good options");
    for round in 0..500 {
        let asking: Vec<_> = (0..8)
            .map(|_| {
                let cache = service(&layer, &origin);
                tokio::spawn(async move { ask(&cache, get(&format!("/{round}"))).await })
            })
            .collect();
        for one in asking {
            one.await.expect("no panic");
        }
        assert_eq!(origin.calls(), round + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_without_first_level_has_variants_too() {
    for place in Place::both().await {
        let classes = Classes::new().class("c", hour().first_level(false));
        let origin = counting(&[("vary", "x-flavour")]);
        let layer = place
            .layer()
            .classes(classes)
            .class("c")
            .build()
            .expect("good options");
        let cache = service(&layer, &origin);
        let sweet = || request("GET", "/a", &[("x-flavour", "sweet")]);
        ask(&cache, sweet()).await;
        place.written(2).await;
        eventually(LONG, async || {
            ask(&cache, sweet()).await.outcome == Some(Outcome::Hit)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shared_does_not_queue_while_the_store_is_away() {
    let mut server = RedisServer::start();
    server.kill();
    let gate = Gate::opened();
    let origin = gated(&gate, &[]);
    let layer = CacheLayer::new(Store::connect(&server.url()).expect("a good URL"));
    let cache = service(&layer, &origin);
    ask(&cache, get("/a")).await;
    gate.close();
    let asking: Vec<_> = (0..10)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { ask(&cache, get("/a")).await })
        })
        .collect();
    eventually(LONG, async || gate.waiters() == 10).await;
    gate.open();
    for one in asking {
        one.await.expect("no panic");
    }
}

/// How many loads twenty callers at once make of a key that depends on the tag `t`.
async fn loads_of_twenty(store: &Store, cost: Duration) -> usize {
    let objects: ObjectCache<u32> =
        ObjectCache::of_class(store.clone(), "p", hour()).expect("a good class");
    let loads = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let (objects, loads) = (objects.clone(), loads.clone());
            tokio::spawn(async move {
                let load = || async {
                    loads.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(cost).await;
                    Ok::<_, Infallible>(1)
                };
                objects.get_or_load("k", &[Tag::new("t")], load).await
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no panic").expect("loads");
    }
    loads.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread")]
async fn doubt_makes_nobody_wait_for_one_fetch_after_another() {
    let mut server = RedisServer::start();
    let store = Store::connect(&server.url()).expect("a good URL");
    eventually(LONG, async || store.log().is_current()).await;
    server.kill();
    let targets = [Target::from(Tag::new("t"))];
    let deadline = Duration::from_millis(20);
    assert!(
        store
            .log()
            .append(&targets, Mode::Hard, deadline)
            .await
            .is_err()
    );
    let loads = loads_of_twenty(&store, Duration::from_millis(100)).await;
    // A second one for those who joined a flight that began before they asked, at the most.
    assert!(loads <= 2, "{loads} loads for twenty callers at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_is_invalidated_all_the_time_does_not_multiply_fetches() {
    let store = Store::memory();
    let log = store.clone();
    let stormy = tokio::spawn(async move {
        loop {
            let targets = [Target::from(Tag::new("t"))];
            log.log()
                .append(&targets, Mode::Hard, LONG)
                .await
                .expect("embedded");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let loads = loads_of_twenty(&store, Duration::from_millis(50)).await;
    stormy.abort();
    assert!(loads <= 3, "{loads} loads for twenty callers at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_asks_for_the_page_and_not_for_what_the_client_has() {
    let place = Place::memory();
    let origin = Origin::new(|request: Request<ScriptedBody>| {
        let has_it = request
            .headers()
            .get("if-none-match")
            .is_some_and(|tag| tag == "\"v7\"");
        async move {
            let control = "max-age=10, stale-while-revalidate=1000";
            let fields = [("cache-control", control), ("etag", "\"v7\"")];
            let mut answer = response(&fields, ScriptedBody::full("x"));
            if has_it {
                *answer.status_mut() = StatusCode::NOT_MODIFIED;
            }
            Ok(answer)
        }
    });
    let cache = service(&place.layer().build().expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    place.clock.advance(Duration::from_secs(20));
    let conditional = || request("GET", "/a", &[("if-none-match", "\"v7\"")]);
    assert_eq!(
        ask(&cache, conditional()).await.outcome,
        Some(Outcome::Stale)
    );
    eventually(LONG, async || {
        ask(&cache, conditional()).await.outcome == Some(Outcome::Hit)
    })
    .await;
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_hangs_does_not_stop_the_next() {
    let place = Place::memory();
    let gate = Gate::opened();
    let origin = gated(
        &gate,
        &[("cache-control", "max-age=10, stale-while-revalidate=100000")],
    );
    let layer = place
        .layer()
        .patience(Duration::from_millis(20))
        .build()
        .expect("good options");
    let cache = service(&layer, &origin);
    ask(&cache, get("/a")).await;
    gate.close();
    place.clock.advance(Duration::from_secs(20));
    eventually(LONG, async || {
        place.clock.advance(Duration::from_secs(2));
        assert_eq!(ask(&cache, get("/a")).await.outcome, Some(Outcome::Stale));
        origin.calls() > 2
    })
    .await;
    // And each that hung was ended.
    eventually(LONG, async || {
        gate.waiters() == 0 && layer.handle().stats().in_flight == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_nobody_waits_for_any_more_ends() {
    let place = Place::memory();
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let layer = place
        .layer()
        .patience(Duration::from_millis(50))
        .build()
        .expect("good options");
    let cache = service(&layer, &origin);
    let asking = || {
        let cache = cache.clone();
        tokio::spawn(async move { ask(&cache, get("/a")).await })
    };
    let leader = asking();
    eventually(LONG, async || gate.waiters() == 1).await;
    let follower = asking();
    leader.abort();
    follower.abort();
    eventually(LONG, async || {
        gate.waiters() == 0 && layer.handle().stats().in_flight == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_are_bounded_in_number() {
    let place = Place::memory();
    let gate = Gate::opened();
    let origin = gated(
        &gate,
        &[("cache-control", "max-age=10, stale-while-revalidate=1000")],
    );
    let cache = service(&place.layer().build().expect("good options"), &origin);
    let page = |i: usize| get(&format!("/{i}"));
    for i in 0..300 {
        ask(&cache, page(i)).await;
    }
    gate.close();
    place.clock.advance(Duration::from_secs(20));
    for i in 0..300 {
        assert_eq!(ask(&cache, page(i)).await.outcome, Some(Outcome::Stale));
    }
    eventually(LONG, async || gate.waiters() == 64).await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(gate.waiters(), 64);
    gate.open();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_origin_is_not_hammered_by_what_it_failed_to_renew() {
    let place = Place::memory();
    let fails = Arc::new(AtomicBool::new(false));
    let origin = Origin::new({
        let fails = fails.clone();
        move |_| {
            let fails = fails.load(Ordering::SeqCst);
            async move {
                let fields = [("cache-control", "max-age=10, stale-if-error=1000")];
                let mut answer = response(&fields, ScriptedBody::full("x"));
                if fails {
                    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                }
                Ok(answer)
            }
        }
    });
    let cache = service(&place.layer().build().expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    fails.store(true, Ordering::SeqCst);
    place.clock.advance(Duration::from_secs(20));
    for _ in 0..50 {
        assert_eq!(ask(&cache, get("/a")).await.outcome, Some(Outcome::Stale));
    }
    assert_eq!(origin.calls(), 2, "once, and then not for a while");
    place.clock.advance(Duration::from_secs(2));
    ask(&cache, get("/a")).await;
    assert_eq!(origin.calls(), 3);
}

#[test]
fn a_layer_can_be_made_outside_of_the_runtime_its_store_lives_on() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let connect = async { Store::connect("redis://127.0.0.1:1").expect("a good URL") };
    let store = runtime.block_on(connect);
    drop(CacheLayer::new(store));
}

/// A body that, like many, remembers the waker of who polled it last only.
#[derive(Debug)]
struct Channel(mpsc::Receiver<Bytes>);

impl Body for Channel {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = self.0.poll_recv(cx);
        chunk.map(|chunk| chunk.map(|data| Ok(Frame::data(data))))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_for_a_frame_is_woken_though_another_reads_ahead() {
    let (send, receive) = mpsc::channel(4);
    let receive = Arc::new(Mutex::new(Some(receive)));
    let origin = service_fn(move |_: Request<ScriptedBody>| {
        let receive = receive.lock().expect("no panic").take();
        let body = Channel(receive.expect("one call"));
        let answer = Response::builder()
            .header("cache-control", "max-age=60")
            .body(body);
        async move { Ok::<_, Infallible>(answer.expect("a response")) }
    });
    let layer = CacheLayer::new(Store::memory());
    let mut cache = layer.layer(origin);
    let answer = cache.call(get("/a")).await.expect("an answer");
    let mut body = Box::pin(answer.into_body());
    // The leader's client waits first …
    let woken = Arc::new(Woken::default());
    let waker = woken.clone().into();
    let mut cx = Context::from_waker(&waker);
    assert!(body.as_mut().poll_frame(&mut cx).is_pending());
    // … then a reader in the background takes its place in the channel.
    let follower =
        tokio::spawn(async move { read(cache.call(get("/a")).await.expect("an answer")).await });
    eventually(LONG, async || {
        let is_read_ahead = format!("{body:?}").contains("is_read_ahead: true");
        is_read_ahead || follower.is_finished()
    })
    .await;
    send.send("hello".into()).await.expect("somebody reads");
    drop(send);
    assert_eq!(follower.await.expect("no panic").text(), "hello");
    eventually(LONG, async || woken.0.load(Ordering::SeqCst)).await;
    let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut cx) else {
        panic!("the frame was read for it");
    };
    assert_eq!(frame.into_data().expect("data"), "hello");
}

#[derive(Default)]
struct Woken(AtomicBool);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}
