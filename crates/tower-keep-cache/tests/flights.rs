//! One fetch per key: who leads, who follows, and what becomes of them when something goes wrong.

mod common;

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http::{Request, StatusCode};
use tower::{Service, ServiceExt};
use tower_keep_cache::{Cache, CacheLayer, Class, Classes};
use tower_keep_store::{Mode, Outcome};
use tower_keep_test_support::{Gate, Origin, ScriptedBody, eventually};

use self::common::*;

const MINUTE: &[(&str, &str)] = &[("cache-control", "max-age=60")];

type Asking = Pin<Box<dyn Future<Output = Answer> + Send>>;

fn asking(cache: &Cache<Origin<ScriptedBody>>, request: Request<ScriptedBody>) -> Asking {
    let cache = cache.clone();
    Box::pin(async move { ask(&cache, request).await })
}

/// Lets each begin, in order; none of them can be done yet.
async fn begin(all: &mut [Asking]) {
    poll_fn(|cx| {
        for one in &mut *all {
            assert!(one.as_mut().poll(cx).is_pending(), "nothing can answer yet");
        }
        Poll::Ready(())
    })
    .await;
}

/// Lets them run to the end, side by side.
async fn finish(all: Vec<Asking>) -> Vec<Answer> {
    let running: Vec<_> = all.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for one in running {
        answers.push(one.await.expect("no panic"));
    }
    answers
}

async fn waits_at(gate: &Gate, count: usize) {
    eventually(LONG, async || gate.waiters() == count).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_cold_requests_make_one_call() {
    for place in Place::both().await {
        let gate = Gate::closed();
        let origin = gated(&gate, MINUTE);
        let cache = service(&place.layer().build().expect("good options"), &origin);
        let mut all: Vec<_> = (0..100).map(|_| asking(&cache, get("/a"))).collect();
        begin(&mut all).await;
        let all: Vec<_> = all.into_iter().map(tokio::spawn).collect();
        waits_at(&gate, 1).await;
        gate.open();
        let mut outcomes = Vec::new();
        for one in all {
            let answer = one.await.expect("no panic");
            assert_eq!(answer.text(), "1");
            outcomes.push(answer.outcome.expect("an outcome"));
        }
        let count = |outcome| outcomes.iter().filter(|one| **one == outcome).count();
        assert_eq!((count(Outcome::Miss), count(Outcome::Collapsed)), (1, 99));
        assert_eq!(origin.calls(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_leaves_does_not_stop_the_fetch_that_others_wait_for() {
    for place in Place::both().await {
        let gate = Gate::closed();
        let origin = gated(&gate, MINUTE);
        let cache = service(&place.layer().build().expect("good options"), &origin);
        let leader = tokio::spawn(asking(&cache, get("/a")));
        waits_at(&gate, 1).await;
        let mut others: Vec<_> = (0..3).map(|_| asking(&cache, get("/a"))).collect();
        begin(&mut others).await;
        leader.abort();
        assert!(leader.await.is_err(), "it did not get so far as an answer");
        let others = tokio::spawn(finish(others));
        gate.open();
        for answer in others.await.expect("no panic") {
            assert_eq!(answer.text(), "1");
        }
        assert_eq!(origin.calls(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_leaves_alone_takes_its_fetch_with_it() {
    let place = Place::memory();
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let layer = place.layer().build().expect("good options");
    let cache = service(&layer, &origin);
    let mut leader = vec![asking(&cache, get("/a"))];
    begin(&mut leader).await;
    assert_eq!((gate.waiters(), layer.handle().stats().in_flight), (1, 1));
    drop(leader);
    assert_eq!((gate.waiters(), layer.handle().stats().in_flight), (0, 0));
    gate.open();
    assert_eq!(ask(&cache, get("/a")).await.text(), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_in_the_middle_of_the_body_does_not_spoil_the_fill() {
    for place in Place::both().await {
        let gate = Gate::closed();
        let origin = Origin::new({
            let gate = gate.clone();
            move |_| {
                let body = ScriptedBody::frames(["first "]).gate(&gate).data("second");
                let answer = response(MINUTE, body);
                async move { Ok(answer) }
            }
        });
        let layer = place.layer().build().expect("good options");
        let cache = service(&layer, &origin);
        let mut leaving = cache.clone();
        let answer = leaving
            .ready()
            .await
            .expect("ready")
            .call(get("/a"))
            .await
            .expect("an answer");
        let mut body = Box::pin(answer.into_body());
        let frame = poll_fn(|cx| http_body::Body::poll_frame(body.as_mut(), cx)).await;
        let frame = frame
            .expect("a frame")
            .expect("data")
            .into_data()
            .expect("data");
        assert_eq!(frame, "first ", "it came before the rest was there");
        drop(body);
        let mut follower = vec![asking(&cache, get("/a"))];
        begin(&mut follower).await;
        gate.open();
        for answer in finish(follower).await {
            assert_eq!(answer.text(), "first second");
        }
        assert_eq!(ask(&cache, get("/a")).await.outcome, Some(Outcome::Hit));
        assert_eq!(origin.calls(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shared_releases_all_at_once_and_the_next_do_not_queue() {
    for fields in [
        &[("cache-control", "max-age=60"), ("set-cookie", "id=1")][..],
        &[("cache-control", "private")],
        &[],
    ] {
        let place = Place::memory();
        let gate = Gate::closed();
        let origin = gated(&gate, fields);
        let cache = service(&place.layer().build().expect("good options"), &origin);
        let mut all: Vec<_> = (0..10).map(|_| asking(&cache, get("/a"))).collect();
        begin(&mut all).await;
        assert_eq!(gate.waiters(), 1);
        gate.let_through(1);
        let all = tokio::spawn(finish(all));
        // All nine are at the origin together.
        waits_at(&gate, 9).await;
        let mut late = vec![asking(&cache, get("/a")), asking(&cache, get("/a"))];
        begin(&mut late).await;
        assert_eq!(gate.waiters(), 11, "nobody waits for one another any more");
        gate.open();
        let mut bodies: Vec<_> = all
            .await
            .expect("no panic")
            .into_iter()
            .map(|answer| answer.body)
            .collect();
        bodies.sort();
        bodies.dedup();
        assert_eq!(bodies.len(), 10, "each got its own");
        finish(late).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_origin_fails_each_request_on_its_own_and_is_not_remembered() {
    let place = Place::memory();
    let gate = Gate::closed();
    let fails = Arc::new(AtomicBool::new(true));
    let origin = Origin::new({
        let (gate, fails) = (gate.clone(), fails.clone());
        move |_| {
            let (passed, fails) = (gate.pass(), fails.clone());
            async move {
                passed.await;
                let mut answer = response(MINUTE, ScriptedBody::full("x"));
                if fails.load(Ordering::SeqCst) {
                    *answer.status_mut() = StatusCode::BAD_GATEWAY;
                }
                Ok(answer)
            }
        }
    });
    let cache = service(&place.layer().build().expect("good options"), &origin);
    let mut all: Vec<_> = (0..3).map(|_| asking(&cache, get("/a"))).collect();
    begin(&mut all).await;
    gate.open();
    for answer in finish(all).await {
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    }
    fails.store(false, Ordering::SeqCst);
    assert_eq!(ask(&cache, get("/a")).await.status, StatusCode::OK);
    assert_eq!(ask(&cache, get("/a")).await.outcome, Some(Outcome::Hit));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_during_a_fetch_leaves_its_answer_to_none_but_its_own_client() {
    for place in Place::both().await {
        let gate = Gate::closed();
        let origin = gated(&gate, MINUTE);
        let layer = place.layer().build().expect("good options");
        let cache = service(&layer, &origin);
        let uri = "/a".parse().expect("a URI");
        let mut old = vec![asking(&cache, get("/a"))];
        begin(&mut old).await;
        let old = tokio::spawn(finish(old));
        waits_at(&gate, 1).await;
        layer
            .handle()
            .purge("example.com", &uri)
            .await
            .expect("written");
        // Whoever asks from now on must not be answered with what was read before.
        let mut new: Vec<_> = (0..5).map(|_| asking(&cache, get("/a"))).collect();
        begin(&mut new).await;
        let new = tokio::spawn(finish(new));
        gate.let_through(1);
        assert_eq!(old.await.expect("no panic")[0].text(), "1");
        waits_at(&gate, 1).await;
        gate.open();
        for answer in new.await.expect("no panic") {
            assert_eq!(answer.text(), "2");
        }
        assert_eq!(ask(&cache, get("/a")).await.text(), "2");
        let other = service(&CacheLayer::new(place.other_process().await), &origin);
        place.written(2).await;
        assert_ne!(ask(&other, get("/a")).await.text(), "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_of_another_variant_fetch_their_own() {
    let place = Place::memory();
    let gate = Gate::closed();
    let origin = Origin::new({
        let gate = gate.clone();
        move |request: Request<ScriptedBody>| {
            let flavour = request.headers()["x-flavour"].as_bytes().to_vec();
            let passed = gate.pass();
            async move {
                passed.await;
                let fields = [("cache-control", "max-age=60"), ("vary", "x-flavour")];
                Ok(response(&fields, ScriptedBody::full(flavour)))
            }
        }
    });
    let cache = service(&place.layer().build().expect("good options"), &origin);
    let flavours = ["sweet", "sour", "sweet", "sour"];
    let of = |flavour| asking(&cache, request("GET", "/a", &[("x-flavour", flavour)]));
    let mut all: Vec<_> = flavours.into_iter().map(of).collect();
    begin(&mut all).await;
    gate.open();
    for (answer, flavour) in finish(all).await.iter().zip(flavours) {
        assert_eq!(answer.text(), flavour);
    }
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_say_who_they_are_do_not_hold_up_the_others() {
    let place = Place::memory();
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let cache = service(&place.layer().build().expect("good options"), &origin);
    let cookie = || asking(&cache, request("GET", "/a", &[("cookie", "id=1")]));
    let mut all = vec![
        cookie(),
        asking(&cache, get("/a")),
        asking(&cache, get("/a")),
    ];
    begin(&mut all).await;
    assert_eq!(gate.waiters(), 2, "one for the visitor, one for everybody");
    gate.open();
    let answers = finish(all).await;
    assert_eq!(answers[1].body, answers[2].body);
    assert_ne!(answers[0].body, answers[1].body);
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_lose_patience_with_a_leader_that_takes_for_ever() {
    let place = Place::memory();
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let layer = place
        .layer()
        .patience(Duration::from_millis(20))
        .build()
        .expect("good options");
    let cache = service(&layer, &origin);
    let mut all = vec![asking(&cache, get("/a")), asking(&cache, get("/a"))];
    begin(&mut all).await;
    let all = tokio::spawn(finish(all));
    waits_at(&gate, 2).await;
    gate.open();
    assert_eq!(all.await.expect("no panic").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soft_invalidation_is_bridged_by_one_refresh() {
    for place in Place::both().await {
        let gate = Gate::opened();
        let origin = gated(&gate, &[]);
        let class = Class::fresh_for(Duration::from_secs(60))
            .stale_while_revalidate(Duration::from_secs(60));
        let classes = Classes::new().class("c", class);
        let layer = place
            .layer()
            .classes(classes)
            .class("c")
            .build()
            .expect("good options");
        let cache = service(&layer, &origin);
        assert_eq!(ask(&cache, get("/a")).await.text(), "1");
        gate.close();
        layer
            .handle()
            .invalidate_class("c", Mode::Soft)
            .await
            .expect("written");
        for _ in 0..5 {
            let stale = ask(&cache, get("/a")).await;
            assert_eq!((stale.text(), stale.outcome), ("1", Some(Outcome::Stale)));
        }
        waits_at(&gate, 1).await;
        gate.open();
        eventually(LONG, async || ask(&cache, get("/a")).await.text() == "2").await;
        assert_eq!(origin.calls(), 2);
        layer
            .handle()
            .invalidate_class("c", Mode::Hard)
            .await
            .expect("written");
        assert_eq!(ask(&cache, get("/a")).await.text(), "3");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_before_an_invalidation_need_not_wait_again() {
    for place in Place::both().await {
        let gate = Gate::closed();
        let origin = gated(&gate, MINUTE);
        let layer = place.layer().build().expect("good options");
        let cache = service(&layer, &origin);
        let leader = tokio::spawn(asking(&cache, get("/a")));
        waits_at(&gate, 1).await;
        let mut before: Vec<_> = (0..5).map(|_| asking(&cache, get("/a"))).collect();
        begin(&mut before).await;
        let before = tokio::spawn(finish(before));
        let uri = "/a".parse().expect("a URI");
        layer
            .handle()
            .purge("example.com", &uri)
            .await
            .expect("written");
        gate.let_through(1);
        assert_eq!(leader.await.expect("no panic").text(), "1");
        for answer in before.await.expect("no panic") {
            assert_eq!(
                (answer.text(), answer.outcome),
                ("1", Some(Outcome::Collapsed))
            );
        }
        gate.open();
        assert_eq!(ask(&cache, get("/a")).await.text(), "2", "but nobody after");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_collapsed_while_the_store_has_never_been_there() {
    let mut server = tower_keep_test_support::RedisServer::start();
    server.kill();
    let store = tower_keep_store::Store::connect(&server.url()).expect("a good URL");
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let layer = CacheLayer::new(store);
    let cache = service(&layer, &origin);
    let leader = tokio::spawn(asking(&cache, get("/a")));
    waits_at(&gate, 1).await;
    let mut others: Vec<_> = (0..20).map(|_| asking(&cache, get("/a"))).collect();
    begin(&mut others).await;
    let others = tokio::spawn(finish(others));
    gate.open();
    leader.await.expect("no panic");
    others.await.expect("no panic");
    assert_eq!(origin.calls(), 1);
    assert_eq!(
        layer.handle().stats().entries,
        0,
        "what cannot be judged is not kept"
    );
}

/// Reads one frame, and leaves the rest for later.
async fn first_frame<B>(body: &mut Pin<Box<B>>) -> bytes::Bytes
where
    B: http_body::Body<Data = bytes::Bytes>,
    B::Error: std::fmt::Debug,
{
    let frame = poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
    let frame = frame.expect("a frame").expect("no error");
    frame.into_data().expect("data")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_slowly_holds_nobody_up_and_misses_nothing() {
    // Followers that are there before the body comes, and such that come while it does.
    for joins_early in [true, false] {
        let place = Place::memory();
        let gate = Gate::closed();
        let origin = Origin::new({
            let gate = gate.clone();
            move |_| {
                let passed = gate.pass();
                async move {
                    passed.await;
                    let body = ScriptedBody::frames(["one ", "two ", "three"]).unknown_length();
                    Ok(response(MINUTE, body))
                }
            }
        });
        let cache = service(&place.layer().build().expect("good options"), &origin);
        let mut slow = cache.clone();
        let leader =
            tokio::spawn(async move { slow.ready().await.expect("ready").call(get("/a")).await });
        waits_at(&gate, 1).await;
        let mut followers = vec![asking(&cache, get("/a"))];
        if joins_early {
            begin(&mut followers).await;
        }
        gate.open();
        let answer = leader.await.expect("no panic").expect("an answer");
        let mut body = Box::pin(answer.into_body());
        assert_eq!(first_frame(&mut body).await, "one ");
        // The leader's client reads no further; the others get it all.
        for answer in finish(followers).await {
            assert_eq!(
                (answer.text(), answer.outcome),
                ("one two three", Some(Outcome::Collapsed))
            );
        }
        assert_eq!(first_frame(&mut body).await, "two ");
        assert_eq!(first_frame(&mut body).await, "three");
        assert!(
            poll_fn(|cx| http_body::Body::poll_frame(body.as_mut(), cx))
                .await
                .is_none()
        );
        assert_eq!(origin.calls(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_ahead_is_no_more_than_what_may_be_stored() {
    let place = Place::memory();
    let gate = Gate::closed();
    let big = vec![1_u8; 600 << 10];
    let origin = Origin::new({
        let gate = gate.clone();
        move |_| {
            let frames = [big.clone(), big.clone(), b"end".to_vec()];
            let (body, passed) = (ScriptedBody::frames(frames).unknown_length(), gate.pass());
            async move {
                passed.await;
                Ok(response(MINUTE, body))
            }
        }
    });
    let cache = service(&place.layer().build().expect("good options"), &origin);
    let mut all: Vec<_> = (0..4).map(|_| asking(&cache, get("/a"))).collect();
    begin(&mut all).await;
    gate.open();
    for answer in finish(all).await {
        assert_eq!(answer.body.len(), (1200 << 10) + 3, "each has it whole");
    }
    assert_eq!(origin.calls(), 4, "too large to share");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_leaves_the_lead_to_the_next() {
    let place = Place::memory();
    let gate = Gate::closed();
    let calls = AtomicUsize::new(0);
    let origin = Origin::new({
        let gate = gate.clone();
        move |_| {
            let is_first = calls.fetch_add(1, Ordering::SeqCst) == 0;
            let body = ScriptedBody::frames(["half "]).gate(&gate);
            let body = if is_first {
                body.error(1)
            } else {
                body.data("whole")
            };
            let answer = response(MINUTE, body);
            async move { Ok(answer) }
        }
    });
    let cache = service(&place.layer().build().expect("good options"), &origin);
    let mut leader = cache.clone();
    let answer = leader
        .ready()
        .await
        .expect("ready")
        .call(get("/a"))
        .await
        .expect("an answer");
    let mut body = Box::pin(answer.into_body());
    assert_eq!(first_frame(&mut body).await, "half ");
    let mut followers = vec![asking(&cache, get("/a")), asking(&cache, get("/a"))];
    begin(&mut followers).await;
    gate.open();
    for answer in finish(followers).await {
        assert_eq!(answer.text(), "half whole");
    }
    let error = poll_fn(|cx| http_body::Body::poll_frame(body.as_mut(), cx)).await;
    assert!(
        error.expect("a frame").is_err(),
        "its own client hears of the error"
    );
    assert_eq!(origin.calls(), 2);
}

/// Whatever is dropped with the runtime finds nobody to go on with it.
#[test]
fn a_change_that_is_under_way_when_the_runtime_ends_ends_with_it() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let gate = Gate::closed();
    runtime.block_on(async {
        let place = Place::memory();
        let origin = gated(&gate, MINUTE);
        let cache = service(&place.layer().build().expect("good options"), &origin);
        tokio::spawn(async move { ask(&cache, request("POST", "/a", &[])).await });
        eventually(LONG, async || gate.waiters() == 1).await;
    });
    drop(runtime);
    assert_eq!(gate.waiters(), 0);
}
