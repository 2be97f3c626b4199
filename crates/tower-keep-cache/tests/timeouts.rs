//! What the cache does while the origin takes its time.

mod common;

use std::{
    future::{Future, poll_fn},
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
    time::Duration,
};

use http::StatusCode;
use tower_keep_cache::{
    Cache, CacheDirective, CacheLayer, CacheLayerBuilder, CachePolicy, Class, Classes,
};
use tower_keep_store::Outcome;
use tower_keep_test_support::{Gate, Origin, ScriptedBody, eventually};

use self::common::*;

const SHORT: Duration = Duration::from_millis(5);

/// Fresh for 10 s, and for 10 minutes more if the origin fails.
fn class() -> Class {
    Class::fresh_for(Duration::from_secs(10)).stale_if_error(Duration::from_secs(600))
}

fn page(layer: CacheLayerBuilder, class: Class) -> CacheLayer {
    let layer = layer.classes(Classes::new().class("page", class));
    layer.class("page").build().expect("good options")
}

/// So many requests at once: all have begun before any goes on.
async fn asks(cache: &Cache<Origin<ScriptedBody>>, count: usize) -> Vec<Answer> {
    let mut asking: Vec<_> = (0..count)
        .map(|_| (Box::pin(ask(cache, get("/a"))), None))
        .collect();
    poll_fn(|cx| {
        for (one, answer) in asking.iter_mut().filter(|(_, answer)| answer.is_none()) {
            if let Poll::Ready(ready) = one.as_mut().poll(cx) {
                *answer = Some(ready);
            }
        }
        match asking.iter().all(|(_, answer)| answer.is_some()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    asking
        .into_iter()
        .filter_map(|(_, answer)| answer)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_soft_timeout_what_is_stale_answers_and_the_fetch_goes_on() {
    for place in Place::both().await {
        let gate = Gate::opened();
        let origin = gated(&gate, &[]);
        let layer = page(place.layer(), class().soft_timeout(SHORT));
        let cache = service(&layer, &origin);
        ask(&cache, get("/a")).await;
        place.clock.advance(Duration::from_secs(15));
        gate.close();
        let answers = asks(&cache, 20).await;
        for answer in &answers {
            assert_eq!((answer.text(), answer.outcome), ("1", Some(Outcome::Stale)));
        }
        let calls = |answer: &Answer| usize::from(answer.told.expect("told").origin_calls);
        assert_eq!(answers.iter().map(calls).sum::<usize>(), 1);
        // Whoever comes later follows the fetch that goes on, and waits no longer either.
        place.clock.advance(Duration::from_secs(2));
        for answer in asks(&cache, 20).await {
            assert_eq!((answer.text(), answer.outcome), ("1", Some(Outcome::Stale)));
        }
        assert_eq!((origin.calls(), gate.waiters()), (2, 1));
        gate.open();
        eventually(LONG, async || ask(&cache, get("/a")).await.text() == "2").await;
        assert_eq!(origin.calls(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_stale_the_soft_timeout_means_nothing() {
    let place = Place::memory();
    let gate = Gate::closed();
    let origin = gated(&gate, &[]);
    let cache = service(&page(place.layer(), class().soft_timeout(SHORT)), &origin);
    let asking = tokio::spawn({
        let cache = cache.clone();
        async move { ask(&cache, get("/a")).await }
    });
    eventually(LONG, async || gate.waiters() == 1).await;
    gate.open();
    let answer = asking.await.expect("no panic");
    assert_eq!((answer.text(), answer.outcome), ("1", Some(Outcome::Miss)));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_hard_timeout_all_who_wait_are_told_so_and_the_fetch_has_ended() {
    for place in Place::both().await {
        let gate = Gate::closed();
        let origin = gated(&gate, &[]);
        let layer = place.layer().hard_timeout(4 * SHORT);
        let layer = page(layer, class());
        let cache = service(&layer, &origin);
        for answer in asks(&cache, 20).await {
            assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
            assert_eq!(answer.outcome, Some(Outcome::Error));
            let expected = "tower-keep;fwd=uri-miss;detail=timeout";
            assert_eq!(answer.cache_status(), expected);
            assert_eq!(answer.field("cache-control"), Some("no-store"));
        }
        assert_eq!((origin.calls(), gate.waiters()), (1, 0));
        assert_eq!(layer.handle().stats().in_flight, 0);
        gate.open();
        assert_eq!(
            ask(&cache, get("/a")).await.text(),
            "2",
            "nothing is kept of it"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_hard_timeout_what_is_stale_answers_in_place_of_an_error() {
    let place = Place::memory();
    let gate = Gate::opened();
    let origin = gated(&gate, &[]);
    let cache = service(&page(place.layer(), class().hard_timeout(SHORT)), &origin);
    ask(&cache, get("/a")).await;
    place.clock.advance(Duration::from_secs(15));
    gate.close();
    for answer in asks(&cache, 20).await {
        assert_eq!((answer.text(), answer.outcome), ("1", Some(Outcome::Stale)));
    }
    assert_eq!((origin.calls(), gate.waiters()), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fetch_that_goes_on_ends_at_the_hard_timeout() {
    let place = Place::memory();
    let gate = Gate::opened();
    let origin = gated(&gate, &[]);
    let class = class().soft_timeout(SHORT).hard_timeout(4 * SHORT);
    let layer = page(place.layer(), class);
    let cache = service(&layer, &origin);
    ask(&cache, get("/a")).await;
    place.clock.advance(Duration::from_secs(15));
    gate.close();
    assert_eq!(ask(&cache, get("/a")).await.text(), "1");
    eventually(LONG, async || gate.waiters() == 0).await;
    eventually(LONG, async || layer.handle().stats().in_flight == 0).await;
}

/// The class is not known before the origin answers, but it is of what is stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_a_response_named_counts_when_it_is_stale() {
    let place = Place::memory();
    let gate = Gate::opened();
    let origin = Origin::new({
        let gate = gate.clone();
        let calls = AtomicUsize::new(0);
        move |_| {
            let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
            let passed = gate.pass();
            async move {
                passed.await;
                let mut answer = response(&[], ScriptedBody::full(call.to_string()));
                let named = CacheDirective::class("named");
                answer.extensions_mut().insert(named);
                Ok(answer)
            }
        }
    });
    let classes = Classes::new().class("named", class().soft_timeout(SHORT));
    let layer = place.layer().classes(classes);
    let cache = service(&layer.build().expect("good options"), &origin);
    ask(&cache, get("/a")).await;
    place.clock.advance(Duration::from_secs(15));
    gate.close();
    assert_eq!(ask(&cache, get("/a")).await.text(), "1");
    gate.open();
    eventually(LONG, async || ask(&cache, get("/a")).await.text() == "2").await;
}

#[test]
fn timeouts_that_make_no_sense_are_named() {
    let store = Place::memory().store;
    let layer = || CacheLayer::builder(store.clone());
    let error = layer().hard_timeout(Duration::ZERO).build();
    let said = error.expect_err("zero").to_string();
    assert!(said.contains("hard time-out is zero"), "{said}");
    let error = layer().soft_timeout(LONG).hard_timeout(SHORT).build();
    let said = error.expect_err("longer").to_string();
    assert!(said.contains("not shorter"), "{said}");
}

#[tokio::test]
async fn who_has_something_stale_is_answered_with_it_whoever_fetched_in_vain() {
    let place = Place::memory();
    let gate = Gate::opened();
    let origin = gated(&gate, &[]);
    let layer = place
        .layer()
        .policy(CachePolicy::default().heed_requests(true));
    let cache = service(&page(layer, class().hard_timeout(4 * SHORT)), &origin);
    ask(&cache, get("/a")).await;
    place.clock.advance(Duration::from_secs(15));
    gate.close();
    let anew = request("GET", "/a", &[("cache-control", "no-cache")]);
    // The first accepts nothing that is stored, the second waits for what it fetches.
    let (anew, plain) = tokio::join!(ask(&cache, anew), ask(&cache, get("/a")));
    assert_eq!(anew.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!((plain.text(), plain.outcome), ("1", Some(Outcome::Stale)));
    assert_eq!(origin.calls(), 2);
}
