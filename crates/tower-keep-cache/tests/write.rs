//! Writing through: changes that are announced, and responses and values that are put.

mod common;

use std::{
    convert::Infallible,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{Response, request::Parts};
use tokio::sync::Notify;
use tower_keep_cache::{
    CacheDirective, CacheHandle, CacheLayer, Class, NotStored, ObjectCache, Tag,
};
use tower_keep_store::{Mode, Store};
use tower_keep_test_support::{Gate, Origin, RedisServer, ScriptedBody, eventually};

use self::common::*;

const LEASE: Duration = Duration::from_secs(60);

fn page() -> Tag {
    Tag::new("page")
}

/// The database, and a page made from it.
fn origin(database: &Arc<AtomicUsize>) -> Origin<ScriptedBody> {
    let database = database.clone();
    Origin::new(move |_| {
        let body = ScriptedBody::full(database.load(Ordering::SeqCst).to_string());
        let mut response = response(&[("cache-control", "max-age=600")], body);
        response
            .extensions_mut()
            .insert(CacheDirective::new().tag(page()));
        async move { Ok(response) }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_change_runs_no_process_answers_from_what_depends_on_it() {
    for place in Place::both().await {
        let database = Arc::new(AtomicUsize::new(1));
        let origin = origin(&database);
        let layers = [
            CacheLayer::new(place.store.clone()),
            CacheLayer::new(place.other_process().await),
        ];
        let caches = layers.each_ref().map(|layer| service(layer, &origin));
        for cache in &caches {
            ask(cache, get("/")).await;
            assert!(ask(cache, get("/")).await.cache_status().contains("hit"));
        }
        let change = async {
            database.store(2, Ordering::SeqCst);
            // Committed. Nobody must see the state before any more, although nothing was invalidated yet.
            for cache in &caches {
                let answer = ask(cache, get("/")).await;
                assert_eq!(answer.text(), "2");
                assert!(!answer.cache_status().contains("hit"));
            }
            // Nor is what was fetched meanwhile good for others: it might have been fetched before the commit.
            assert!(
                !ask(&caches[1], get("/"))
                    .await
                    .cache_status()
                    .contains("hit")
            );
            Ok::<_, Infallible>("done")
        };
        let handle = layers[0].handle();
        let Ok(written) = handle.write([page()], change).await;
        assert_eq!(written.into_told().expect("it stands"), "done");
        for cache in &caches {
            eventually(LONG, async || {
                let answer = ask(cache, get("/")).await;
                assert_eq!(answer.text(), "2");
                answer.cache_status().contains("hit")
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_caller_is_gone_ends_and_invalidates_all_the_same() {
    for place in Place::both().await {
        let database = Arc::new(AtomicUsize::new(1));
        let layer = CacheLayer::new(place.other_process().await);
        let cache = service(&layer, &origin(&database));
        ask(&cache, get("/")).await;
        let handle = CacheLayer::new(place.store.clone()).handle();
        let gate = Gate::closed();
        let passing = gate.clone();
        let in_change = database.clone();
        let writing = tokio::spawn(async move {
            let change = async {
                in_change.store(2, Ordering::SeqCst);
                passing.pass().await;
                Ok::<_, Infallible>(())
            };
            handle.lease(LEASE).write([page()], change).await
        });
        eventually(LONG, async || gate.waiters() == 1).await;
        assert_eq!(ask(&cache, get("/")).await.text(), "2");
        writing.abort();
        eventually(LONG, async || {
            ask(&cache, get("/")).await.cache_status().contains("hit")
        })
        .await;
        assert_eq!(ask(&cache, get("/")).await.text(), "2");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_keeps_nobody_from_writing() {
    let mut server = RedisServer::start();
    let connect = || {
        let builder = Store::builder().deadline(Duration::from_millis(50));
        builder.connect(&server.url()).expect("a good URL")
    };
    let [here, there] = [connect(), connect()];
    for store in [&here, &there] {
        eventually(LONG, async || store.log().is_current()).await;
    }
    let since = there.log().stamp();
    server.kill();
    let handle = CacheLayer::new(here).handle();
    let written = handle.write([page()], async { Ok::<_, Infallible>(7) });
    let Ok(written) = written.await;
    assert_eq!(written.value, 7);
    assert!(written.told.is_err(), "nobody else can know");
    let values = ObjectCache::<u32>::of_class(there.clone(), "figure", Class::fresh_for(LEASE));
    let values = values.expect("a good class");
    let Ok(written) = values
        .write("k", &[], async { Ok::<_, Infallible>(8) })
        .await;
    assert_eq!(*written.value, 8);
    assert!(written.told.is_err(), "nor of this");
    server.restart();
    let target = handle.target(page());
    let has_heard = async || {
        there.log().verdict(since, &[target]) == tower_keep_store::Verdict::Invalid
            && there.log().is_current()
    };
    eventually(LONG, has_heard).await;
    let is_told = async || {
        let Ok(written) = handle
            .write([page()], async { Ok::<_, Infallible>(9) })
            .await;
        written.told.is_ok()
    };
    eventually(LONG, is_told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_write_of_a_value_hides_what_was_and_leaves_what_is() {
    for place in Place::both().await {
        let class = || Class::fresh_for(Duration::from_secs(3600));
        let objects = |store: Store| -> ObjectCache<u32> {
            ObjectCache::of_class(store, "figure", class()).expect("a good class")
        };
        let here = objects(place.store.clone()).announce_writes(LEASE);
        let there = match place.server {
            Some(_) => objects(place.other_process().await),
            None => here.clone(),
        };
        let load = async |cache: &ObjectCache<u32>, value| {
            let load = || async move { Ok::<_, Infallible>(value) };
            *cache.get_or_load("k", &[], load).await.expect("loads")
        };
        assert_eq!(load(&here, 1).await, 1);
        place.written(1).await;
        assert_eq!(load(&there, 9).await, 1);
        let change = async {
            assert_eq!(load(&there, 2).await, 2, "in doubt");
            Ok::<_, Infallible>(2)
        };
        let Ok(written) = here.write("k", &[], change).await;
        assert_eq!(*written.into_told().expect("it stands"), 2);
        assert_eq!(load(&here, 9).await, 2, "the writer's own");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_after_the_commit_is_not_answered_by_a_load_from_before_it() {
    for place in Place::both().await {
        let class = Class::fresh_for(Duration::from_secs(3600));
        let objects = ObjectCache::<usize>::of_class(place.store.clone(), "figure", class);
        let objects = &objects.expect("a good class").announce_writes(LEASE);
        let database = &AtomicUsize::new(1);
        let [has_read, may_go_on] = &[Notify::new(), Notify::new()];
        let load = async |is_slow| {
            let load = || async move {
                let read = database.load(Ordering::SeqCst);
                if is_slow {
                    has_read.notify_one();
                    may_go_on.notified().await;
                }
                Ok::<_, Infallible>(read)
            };
            *objects.get_or_load("k", &[], load).await.expect("loads")
        };
        let change = async {
            let (mut early, mut late) = (Box::pin(load(true)), Box::pin(load(false)));
            tokio::select! {
                _ = &mut early => panic!("it waits"),
                () = has_read.notified() => {}
            }
            database.store(2, Ordering::SeqCst);
            let waits = poll_fn(|cx| Poll::Ready(late.as_mut().poll(cx).is_pending()));
            assert!(waits.await, "for the one under way");
            may_go_on.notify_one();
            assert_eq!(early.await, 1, "it had asked before");
            assert_eq!(late.await, 2);
            Ok::<_, Infallible>(2)
        };
        let Ok(written) = objects.write("k", &[], change).await;
        assert_eq!(*written.into_told().expect("it stands"), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_dropped_outside_of_any_runtime_invalidates_all_the_same() {
    for place in Place::both().await {
        let class = Class::fresh_for(Duration::from_secs(3600));
        let objects = ObjectCache::<usize>::of_class(place.store.clone(), "figure", class);
        let objects = objects.expect("a good class");
        let load = async |value| {
            let load = || async move { Ok::<_, Infallible>(value) };
            *objects.get_or_load("k", &[], load).await.expect("loads")
        };
        assert_eq!(load(1).await, 1);
        let writer = objects.clone();
        let mut writing = Box::pin(async move {
            let for_ever = std::future::pending::<Result<usize, Infallible>>();
            let _never = writer.write("k", &[], for_ever).await;
        });
        let waits = poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx).is_pending()));
        assert!(waits.await);
        let dropping = std::thread::spawn(move || drop(writing));
        dropping.join().expect("no panic");
        assert_eq!(load(2).await, 2);
    }
}

fn head(fields: &[(&str, &str)]) -> Parts {
    request("GET", "/", fields).into_parts().0
}

fn rendered(text: &str, fields: &[(&str, &str)]) -> Response<Bytes> {
    let mut response = Response::builder().header("cache-control", "max-age=600");
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    let mut response = response
        .body(Bytes::from(text.to_owned()))
        .expect("a response");
    response
        .extensions_mut()
        .insert(CacheDirective::new().tag(page()));
    response
}

fn reason(put: Result<(), NotStored>) -> &'static str {
    put.expect_err("refused").reason()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_is_put_answers_in_every_process_until_it_is_invalidated() {
    for place in Place::both().await {
        let layer = CacheLayer::new(place.store.clone());
        let elsewhere = match place.server {
            Some(_) => CacheLayer::new(place.other_process().await),
            None => layer.clone(),
        };
        let layers = [layer, elsewhere];
        let origin = counting(&[
            ("cache-control", "max-age=600"),
            ("vary", "accept-language"),
        ]);
        let caches = layers.each_ref().map(|layer| service(layer, &origin));
        let handle = layers[0].handle();
        let fields = [("accept-language", "de")];
        let fence = handle.fence();
        let german = rendered("hallo", &[("vary", "accept-language")]);
        handle.put(fence, &head(&fields), german).expect("stored");
        place.written(2).await;
        for cache in &caches {
            let answer = ask(cache, request("GET", "/", &fields)).await;
            assert_eq!(answer.text(), "hallo");
            assert!(answer.field("etag").is_some() && answer.cache_status().contains("hit"));
        }
        assert_eq!(origin.calls(), 0);
        assert_eq!(
            ask(&caches[0], request("GET", "/", &[])).await.text(),
            "1",
            "a variant"
        );
        handle
            .invalidate([page()], Mode::Hard)
            .await
            .expect("there");
        assert_eq!(
            ask(&caches[0], request("GET", "/", &fields)).await.text(),
            "2"
        );
        let late = rendered("alt", &[]);
        assert_eq!(
            reason(handle.put(fence, &head(&fields), late)),
            "invalidated"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_response_to_a_request_would_be_stored_for_is_not_put() {
    let place = Place::memory();
    let layer = place.layer().bypass_when(|head| head.uri.path() == "/no");
    let layer = layer.build().expect("a layer");
    let handle: CacheHandle = layer.handle();
    let put = |head: &Parts, response| reason(handle.put(handle.fence(), head, response));
    let plain = head(&[]);
    assert_eq!(
        put(&plain, rendered("x", &[("set-cookie", "a=b")])),
        "set-cookie"
    );
    assert_eq!(
        put(&plain, rendered("x", &[("content-length", "2")])),
        "length"
    );
    assert_eq!(put(&plain, rendered("x", &[("vary", "*")])), "vary");
    assert_eq!(
        put(&plain, rendered(&"x".repeat(2 << 20), &[])),
        "too-large"
    );
    assert_eq!(
        put(&head(&[("cookie", "a=b")]), rendered("x", &[])),
        "cookie"
    );
    assert_eq!(
        put(&plain, rendered("x", &[("cache-groups", "no string")])),
        "cache-groups"
    );
    let post = request("POST", "/", &[]).into_parts().0;
    assert_eq!(put(&post, rendered("x", &[])), "request");
    assert_eq!(
        put(&get("/no").into_parts().0, rendered("x", &[])),
        "bypass-when"
    );
    let mut two_hosts = head(&[("host", "other")]);
    two_hosts
        .headers
        .append("host", "another".parse().expect("a value"));
    assert_eq!(put(&two_hosts, rendered("x", &[])), "no-key");
    assert_eq!(handle.stats().entries, 0);
}

/// As when the runtime of one of several ends with a request under way.
#[test]
fn a_request_that_ends_with_its_runtime_invalidates_all_the_same() {
    use tower::{Service, ServiceExt};

    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime")
    };
    let place = Place::memory();
    let layer = place.layer().build().expect("a layer");
    let database = Arc::new(AtomicUsize::new(1));
    let changes = database.clone();
    let origin = Origin::new(move |request| {
        let is_change = request.method() == "POST";
        if is_change {
            changes.fetch_add(1, Ordering::SeqCst);
        }
        let body = ScriptedBody::full(changes.load(Ordering::SeqCst).to_string());
        let response = response(&[("cache-control", "max-age=600")], body);
        async move {
            if is_change {
                std::future::pending::<()>().await;
            }
            Ok(response)
        }
    });
    let cache = service(&layer, &origin);
    let read = || runtime().block_on(async { ask(&cache, get("/")).await.text().to_owned() });
    assert_eq!(read(), "1");
    assert_eq!(read(), "1");
    let first = runtime();
    let mut writer = cache.clone();
    first.spawn(async move {
        let writer = writer.ready().await.expect("always ready");
        let _never = writer.call(request("POST", "/", &[])).await;
    });
    first.block_on(async {
        eventually(LONG, async || database.load(Ordering::SeqCst) == 2).await;
    });
    drop(first);
    assert_eq!(read(), "2");
}
