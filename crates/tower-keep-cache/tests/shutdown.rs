//! Stopping: what is under way is waited for, what never ends is ended.

mod common;

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use tower::{Service, ServiceExt};
use tower_keep_cache::{CacheLayer, Class, Classes, ObjectCache, Tag, Unfinished};
use tower_keep_store::{Mode, Outcome, Store};
use tower_keep_test_support::{Gate, Origin, RedisServer, ScriptedBody, eventually};

use self::common::*;

const STALE: &[(&str, &str)] = &[("cache-control", "max-age=60, stale-while-revalidate=600")];

/// Polls it once: it has begun, and waits.
async fn begins(future: &mut (impl Future<Output = Unfinished> + Unpin)) {
    poll_fn(|cx| {
        assert!(std::pin::Pin::new(&mut *future).poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_under_way_is_stored_and_no_other_begins() {
    for place in Place::both().await {
        let gate = Gate::opened();
        let origin = gated(&gate, STALE);
        let layer = place.layer().build().expect("good options");
        let (cache, handle) = (service(&layer, &origin), layer.handle());
        ask(&cache, get("/a")).await;
        ask(&cache, get("/b")).await;
        gate.close();
        place.clock.advance(Duration::from_secs(61));
        ask(&cache, get("/a")).await;
        eventually(LONG, async || gate.waiters() == 1).await;
        let mut shutdown = pin!(handle.shutdown(LONG));
        begins(&mut shutdown).await;
        let stale = ask(&cache, get("/b")).await;
        assert_eq!((stale.text(), stale.outcome), ("2", Some(Outcome::Stale)));
        assert_eq!(origin.calls(), 3, "it is not refreshed any more");
        gate.open();
        assert!(shutdown.await.is_nothing());
        assert_eq!(ask(&cache, get("/a")).await.text(), "3");
        if let Some(server) = &place.server {
            assert_eq!(server.command_stats()["set"], 3, "also in the store");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_whose_client_has_left_is_read_to_its_end() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = Origin::new({
        let gate = gate.clone();
        move |_| {
            let body = ScriptedBody::frames(["first "]).gate(&gate).data("second");
            let answer = response(STALE, body);
            async move { Ok(answer) }
        }
    });
    let layer = place.layer().build().expect("good options");
    let mut cache = service(&layer, &origin);
    let called = cache.ready().await.expect("ready").call(get("/a"));
    drop(called.await.expect("an answer"));
    let handle = layer.handle();
    let mut shutdown = pin!(handle.shutdown(LONG));
    begins(&mut shutdown).await;
    gate.open();
    assert!(shutdown.await.is_nothing());
    assert_eq!(ask(&cache, get("/a")).await.text(), "first second");
    let server = place.server.as_ref().expect("on Redis");
    assert_eq!(server.command_stats()["set"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_ends_is_ended_at_the_deadline_and_told() {
    let place = Place::memory();
    let gate = Gate::opened();
    let origin = gated(&gate, STALE);
    let classes = Classes::new().class("n", Class::fresh_for(LONG).stale_while_revalidate(LONG));
    let layer = place.layer().classes(classes).build();
    let layer = layer.expect("good options");
    let (cache, handle) = (service(&layer, &origin), layer.handle());
    let objects: ObjectCache<u8> = handle.objects("n").expect("a class");
    objects.put(objects.fence(), "k", &[], 1);
    ask(&cache, get("/a")).await;
    gate.close();
    place.clock.advance(Duration::from_secs(11));
    let passed = gate.pass();
    let load = || async {
        passed.await;
        Ok::<_, std::convert::Infallible>(2)
    };
    objects.get_or_refresh("k", &[], load).await.expect("stale");
    place.clock.advance(Duration::from_secs(50));
    ask(&cache, get("/a")).await;
    eventually(LONG, async || gate.waiters() == 2).await;
    let unfinished = handle.shutdown(Duration::from_millis(1)).await;
    assert_eq!((unfinished.refreshes, unfinished.writes), (2, 0));
    assert!(!unfinished.is_nothing());
    eventually(LONG, async || gate.waiters() == 0).await;
    assert!(handle.shutdown(LONG).await.is_nothing());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_that_waits_for_redis_is_waited_for() {
    let mut server = RedisServer::start();
    let store = Store::builder().deadline(Duration::from_millis(50));
    let store = store.connect(&server.url()).expect("a good URL");
    eventually(LONG, async || store.log().is_current()).await;
    let handle = CacheLayer::new(store.clone()).handle();
    server.kill();
    let tag = [Tag::new("t")];
    let refused = handle.invalidate(tag, Mode::Hard).await;
    refused.expect_err("nobody is there");
    let unfinished = handle.shutdown(Duration::from_millis(50)).await;
    assert_eq!(unfinished.invalidations, 1);
    let mut shutdown = pin!(handle.shutdown(LONG));
    begins(&mut shutdown).await;
    server.restart();
    assert!(shutdown.await.is_nothing());
    assert_eq!(store.log().unwritten(), 0);
}
