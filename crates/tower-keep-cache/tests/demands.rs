//! What requests may ask of what is stored (RFC 9111 §5.2.1).

mod common;

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http::{Request, StatusCode};
use tokio::{task::JoinSet, time::timeout};
use tower_keep_cache::{
    Cache, CacheLayer, CacheLayerBuilder, CachePolicy, Class, Classes, Dependency,
};
use tower_keep_store::{Mode, Outcome, Store};
use tower_keep_test_support::{Gate, Origin, OriginError, ScriptedBody, eventually};

use self::common::*;

fn heeding(place: &Place) -> CacheLayerBuilder {
    place.layer().policy(CachePolicy::rfc9111())
}

fn built(builder: CacheLayerBuilder, origin: &Origin<ScriptedBody>) -> Cache<Origin<ScriptedBody>> {
    service(&builder.build().expect("good options"), origin)
}

fn demanding(control: &str) -> Request<ScriptedBody> {
    request("GET", "/a", &[("cache-control", control)])
}

#[tokio::test]
async fn what_is_fresh_but_not_enough_is_fetched_anew_for_all() {
    for place in Place::both().await {
        let origin = counting(&[("cache-control", "max-age=60")]);
        let cache = built(heeding(&place), &origin);
        ask(&cache, get("/a")).await;
        place.clock.advance(Duration::from_secs(10));
        for (control, body) in [
            ("max-age=10", "1"),
            ("min-fresh=50", "1"),
            ("max-age=9", "2"),
            ("min-fresh=61", "3"),
            ("no-cache", "4"),
            ("", "4"),
        ] {
            let answer = ask(&cache, demanding(control)).await;
            assert_eq!(answer.text(), body, "{control}");
        }
        let asked = ask(&cache, demanding("no-cache")).await;
        assert_eq!(asked.cache_status(), "tower-keep;fwd=request;stored");
        assert_eq!(asked.outcome, Some(Outcome::Miss));
        assert_eq!(ask(&cache, get("/a")).await.text(), "5");
    }
}

#[tokio::test]
async fn no_cache_has_the_origin_confirm_what_has_a_validator() {
    let place = Place::memory();
    let origin = Origin::new(|request: Request<ScriptedBody>| async move {
        let page = [("cache-control", "max-age=60"), ("etag", "\"v1\"")];
        let mut answer = response(&page, ScriptedBody::full("page"));
        if request.headers().get("if-none-match").is_some() {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            *answer.body_mut() = ScriptedBody::empty();
        }
        Ok(answer)
    });
    let cache = built(heeding(&place), &origin);
    ask(&cache, get("/a")).await;
    for request in [
        demanding("no-cache"),
        request("GET", "/a", &[("pragma", "no-cache")]),
    ] {
        let renewed = ask(&cache, request).await;
        assert_eq!((renewed.status.as_u16(), renewed.text()), (200, "page"));
        assert_eq!(renewed.outcome, Some(Outcome::Revalidated));
        let status = "tower-keep;fwd=request;fwd-status=304;stored";
        assert_eq!(renewed.cache_status(), status);
    }
    assert_eq!(origin.calls(), 3);
}

#[tokio::test]
async fn what_is_stale_answers_those_who_accept_it_unless_it_forbids_that() {
    for (control, is_served) in [
        ("max-age=60", true),
        ("max-age=60, must-revalidate", false),
        ("s-maxage=60", false),
    ] {
        let place = Place::memory();
        let origin = Origin::new(move |_| {
            let fields = [("cache-control", control), ("etag", "\"v1\"")];
            let page = response(&fields, ScriptedBody::full("page"));
            async move { Ok(page) }
        });
        let cache = built(heeding(&place), &origin);
        ask(&cache, get("/a")).await;
        place.clock.advance(Duration::from_secs(70));
        let accepted = ask(&cache, demanding("max-stale=10")).await;
        let is_stale = accepted.outcome == Some(Outcome::Stale);
        assert_eq!(is_stale, is_served, "{control}");
        assert_eq!(accepted.field("age") == Some("70"), is_served);
        // It brings the new one for the others.
        eventually(LONG, async || {
            ask(&cache, get("/a")).await.outcome == Some(Outcome::Hit)
        })
        .await;
        assert_eq!(origin.calls(), 2);
    }
}

#[tokio::test]
async fn nobody_is_heeded_by_default_and_not_everybody_where_it_is_said_who() {
    let place = Place::memory();
    let by_default = place.layer();
    let trusting = heeding(&place)
        .name("trusting")
        .heed_requests_when(|request| request.headers.contains_key("x-trusted"));
    for (builder, calls) in [(by_default, 1), (trusting, 2)] {
        let origin = counting(&[("cache-control", "max-age=60")]);
        let cache = built(builder, &origin);
        ask(&cache, get("/a")).await;
        for control in ["no-cache", "max-age=0", "min-fresh=1000"] {
            let hit = ask(&cache, demanding(control)).await;
            assert_eq!(hit.outcome, Some(Outcome::Hit), "{control}");
        }
        let fields = [("cache-control", "no-cache"), ("x-trusted", "1")];
        ask(&cache, request("GET", "/a", &fields)).await;
        assert_eq!(origin.calls(), calls);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stale_answers_those_who_accept_it_though_the_store_is_down() {
    let mut place = Place::redis().await;
    let url = place.server.as_ref().expect("a server").url();
    let [here, there] = [(); 2].map(|()| {
        let store = Store::builder().clock(place.clock.clone());
        let store = store.staleness_bound(Duration::from_secs(3600));
        store.connect(&url).expect("a good URL")
    });
    eventually(LONG, async || {
        here.log().is_current() && there.log().is_current()
    })
    .await;
    let origin = counting(&[("cache-control", "max-age=1")]);
    let [here, there] = [here, there].map(|store| {
        let layer = CacheLayer::builder(store).policy(CachePolicy::rfc9111());
        built(layer, &origin)
    });
    ask(&here, get("/a")).await;
    place.written(1).await;
    place.clock.advance(Duration::from_secs(3));
    place.server.as_mut().expect("a server").kill();
    let accepting = || demanding("max-stale=1000");
    let accepted = ask(&here, accepting()).await;
    assert_eq!(
        (accepted.text(), accepted.outcome),
        ("1", Some(Outcome::Stale))
    );
    // Nobody promised it to who does not have it.
    let missed = ask(&there, accepting()).await;
    assert_eq!(missed.outcome, Some(Outcome::Miss));
}

/// RFC 9111 §4.2.3: the time that the origin took counts as age.
#[tokio::test]
async fn what_is_past_its_time_when_it_comes_is_not_kept_for_those_who_would_accept_it() {
    let place = Place::memory();
    let clock = place.clock.clone();
    let calls = AtomicUsize::new(0);
    let origin = Origin::new(move |_| {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        if call == 0 {
            clock.advance(Duration::from_secs(2));
        }
        let fields = [("cache-control", "max-age=1")];
        async move { Ok(response(&fields, ScriptedBody::full("page"))) }
    });
    let cache = built(heeding(&place), &origin);
    let late = ask(&cache, get("/a")).await;
    assert_eq!(
        late.cache_status(),
        "tower-keep;fwd=uri-miss;detail=no-lifetime"
    );
    place.clock.advance(Duration::from_secs(3));
    let missed = ask(&cache, demanding("max-stale=1000")).await;
    assert_eq!(missed.outcome, Some(Outcome::Miss));
    place.clock.advance(Duration::from_secs(3));
    let accepted = ask(&cache, demanding("max-stale=1000")).await;
    assert_eq!(accepted.outcome, Some(Outcome::Stale));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_nothing_all_share_one_call_whatever_they_demand() {
    for place in Place::both().await {
        let gate = Gate::closed();
        let origin = gated(&gate, &[("cache-control", "max-age=60")]);
        let mut layers = vec![heeding(&place)];
        // An embedded store has one process.
        if place.server.is_some() {
            let other = CacheLayer::builder(place.other_process().await);
            layers.push(other.policy(CachePolicy::rfc9111()));
        }
        let layers = layers.into_iter().map(|layer| layer.lease(LONG).build());
        let layers: Vec<_> = layers.map(|layer| layer.expect("good options")).collect();
        let mut asking = JoinSet::new();
        for layer in &layers {
            let cache = service(layer, &origin);
            for control in ["", "no-cache", "max-age=0", "min-fresh=50"].repeat(5) {
                let cache = cache.clone();
                let mut one = Box::pin(async move { ask(&cache, demanding(control)).await });
                // From here on it leads or follows.
                assert!(poll_once(&mut one).await.is_pending());
                asking.spawn(one);
            }
        }
        let awaited = || layers.iter().map(|layer| layer.handle().stats().awaited);
        eventually(LONG, async || gate.waiters() == 1).await;
        eventually(LONG, async || {
            awaited().sum::<u64>() == layers.len() as u64 - 1
        })
        .await;
        gate.open();
        for (text, _) in all(asking).await {
            assert_eq!(text, "1");
        }
        assert_eq!(origin.calls(), 1);
    }
}

async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

#[tokio::test]
async fn what_would_not_do_is_not_had_with_only_if_cached() {
    let place = Place::memory();
    let origin = counting(&[("cache-control", "max-age=60")]);
    let cache = built(heeding(&place), &origin);
    ask(&cache, get("/a")).await;
    let had = ask(&cache, demanding("only-if-cached, max-age=60")).await;
    assert_eq!(had.status, StatusCode::OK);
    let not_had = ask(&cache, demanding("only-if-cached, min-fresh=61")).await;
    assert_eq!(not_had.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(origin.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_demand_at_once_make_one_request() {
    let place = Place::memory();
    let gate = Gate::opened();
    let origin = gated(&gate, &[("cache-control", "max-age=60")]);
    let cache = Arc::new(built(heeding(&place), &origin));
    ask(&cache, get("/a")).await;
    gate.close();
    let mut asking = JoinSet::new();
    for _ in 0..20 {
        let cache = cache.clone();
        asking.spawn(async move { ask(&cache, demanding("no-cache")).await });
    }
    eventually(LONG, async || origin.calls() == 2).await;
    // Others are answered meanwhile.
    assert_eq!(ask(&cache, get("/a")).await.text(), "1");
    gate.open();
    while let Some(answer) = asking.join_next().await {
        // Who came after it had landed began another.
        assert_ne!(answer.expect("no panic").text(), "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_demand_at_once_find_out_together_that_the_origin_cannot_be_reached() {
    for place in Place::both().await {
        let gate = Gate::opened();
        let (at, calls) = (gate.clone(), AtomicUsize::new(0));
        let origin = Origin::new(move |_| {
            let is_up = calls.fetch_add(1, Ordering::SeqCst) == 0;
            let passed = at.pass();
            async move {
                passed.await;
                let page = response(&[("cache-control", "max-age=60")], ScriptedBody::full("1"));
                is_up.then_some(page).ok_or(OriginError::numbered(7))
            }
        });
        let cache = built(heeding(&place), &origin);
        ask(&cache, get("/a")).await;
        place.written(1).await;
        gate.close();
        let asking = spawned(&cache, 5, "no-cache").await;
        let unwilling = spawned(&cache, 1, "no-cache, only-if-cached").await;
        eventually(LONG, async || gate.waiters() == 1).await;
        gate.open();
        let stale = [("1".to_owned(), Some(Outcome::Stale))];
        assert_eq!(all(asking).await, stale);
        assert_eq!(all(unwilling).await[0].1, Some(Outcome::Rejected));
        assert_eq!(origin.calls(), 2, "who waited need not ask again");
    }
}

/// An origin that has answered once, which is in the store and not in the process, and holds back what is next.
async fn in_the_store_only(place: &Place) -> (CacheLayer, Gate, Origin<ScriptedBody>) {
    let gate = Gate::opened();
    let origin = gated(&gate, &[]);
    let class = Class::fresh_for(Duration::from_secs(60)).first_level(false);
    let layer = heeding(place)
        .classes(Classes::new().class("c", class))
        .class("c")
        .build()
        .expect("good options");
    let cache = service(&layer, &origin);
    ask(&cache, get("/a")).await;
    let is_there = async || ask(&cache, demanding("only-if-cached")).await.status == StatusCode::OK;
    eventually(LONG, is_there).await;
    gate.close();
    (layer, gate, origin)
}

/// They have all begun: each leads, follows, or is done.
async fn spawned(
    cache: &Cache<Origin<ScriptedBody>>,
    count: usize,
    control: &'static str,
) -> JoinSet<Answer> {
    let mut asking = JoinSet::new();
    for _ in 0..count {
        let cache = cache.clone();
        let mut one = Box::pin(async move { ask(&cache, demanding(control)).await });
        let begun = poll_once(&mut one).await;
        asking.spawn(async move {
            match begun {
                Poll::Ready(answer) => answer,
                Poll::Pending => one.await,
            }
        });
    }
    asking
}

async fn all(asking: JoinSet<Answer>) -> Vec<(String, Option<Outcome>)> {
    let answers = timeout(LONG, asking.join_all()).await;
    let answers = answers.expect("nobody waits for the origin");
    let mut told: Vec<_> = answers
        .iter()
        .map(|answer| (answer.text().to_owned(), answer.outcome))
        .collect();
    told.sort_by_key(|(text, _)| text.clone());
    told.dedup();
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_content_with_what_is_stored_does_not_wait_for_who_is_not() {
    for control in ["no-cache", "max-age=0", "min-fresh=61"] {
        for place in Place::both().await {
            let (layer, gate, origin) = in_the_store_only(&place).await;
            place.clock.advance(Duration::from_secs(1));
            let cache = service(&layer, &origin);
            let refusing = spawned(&cache, 5, control).await;
            eventually(LONG, async || gate.waiters() == 1).await;
            let content = spawned(&cache, 5, "").await;
            let hit = [("1".to_owned(), Some(Outcome::Hit))];
            assert_eq!(all(content).await, hit, "{control}");
            assert_eq!(origin.calls(), 2, "{control}: who refuse it share a call");
            gate.open();
            for (text, _) in all(refusing).await {
                assert_eq!(text, "2", "{control}");
            }
            assert_eq!(origin.calls(), 2, "{control}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuse_what_is_stored_share_a_call_however_many_are_content_with_it() {
    for place in Place::both().await {
        let (layer, gate, origin) = in_the_store_only(&place).await;
        let cache = service(&layer, &origin);
        // Whoever refuses it finds somebody who looks into the store, again and again.
        let mut content = JoinSet::new();
        for _ in 0..4 {
            let cache = cache.clone();
            content.spawn(async move {
                for _ in 0..200 {
                    assert_eq!(ask(&cache, get("/a")).await.text(), "1");
                }
            });
        }
        let mut refusing = Vec::new();
        while !content.is_empty() {
            refusing.push(spawned(&cache, 1, "no-cache").await);
            let _still_asking = timeout(Duration::from_millis(1), content.join_next()).await;
        }
        eventually(LONG, async || gate.waiters() > 0).await;
        assert_eq!(origin.calls(), 2);
        gate.open();
        for one in refusing {
            // Who has not heard in time that nobody fetched for it begins another.
            assert_ne!(all(one).await[0].0, "1");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_invalidated_meanwhile_answers_nobody_who_would_be_content_with_it() {
    for place in Place::both().await {
        let (layer, gate, origin) = in_the_store_only(&place).await;
        let cache = service(&layer, &origin);
        let refusing = spawned(&cache, 1, "no-cache").await;
        eventually(LONG, async || gate.waiters() == 1).await;
        let invalidated = layer.handle().invalidate_class("c", Mode::Hard).await;
        invalidated.expect("written");
        let content = spawned(&cache, 5, "").await;
        gate.let_through(1);
        assert_eq!(all(refusing).await[0].0, "2");
        eventually(LONG, async || gate.waiters() == 1).await;
        gate.open();
        for (text, _) in all(content).await {
            assert!(!["1", "2"].contains(&text.as_str()), "{text} is of before");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_changed_answers_nobody_who_would_be_content_with_it() {
    for place in Place::both().await {
        let (layer, gate, origin) = in_the_store_only(&place).await;
        let cache = service(&layer, &origin);
        let refusing = spawned(&cache, 1, "no-cache").await;
        eventually(LONG, async || gate.waiters() == 1).await;
        let mut asking = None;
        let change = async {
            asking = Some(spawned(&cache, 5, "").await);
            Ok::<_, Infallible>(())
        };
        let changed = layer.handle().write([Dependency::class("c")], change).await;
        assert!(changed.is_ok());
        let content = asking.expect("they have begun");
        gate.open();
        all(refusing).await;
        for (text, _) in all(content).await {
            assert_ne!(text, "1", "it was in doubt when they asked");
        }
    }
}
