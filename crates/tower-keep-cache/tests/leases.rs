//! One fetch per cluster: each store of its own is a process in miniature, all on one Redis.

mod common;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;
use tower::{Service, ServiceExt};
use tower_keep_cache::{
    Cache, CacheLayer, CacheLayerBuilder, Class, Classes, Consistency, ObjectCache, Tag,
};
use tower_keep_store::{Mode, Outcome, Store};
use tower_keep_test_support::{
    Gate, Origin, RedisServer, Reply, ScriptedBody, TcpProxy, eventually,
};

use self::common::*;

const MINUTE: &[(&str, &str)] = &[("cache-control", "max-age=60")];

/// So long that nobody in these tests takes over because it has run out.
const NEVER_OUT: Duration = Duration::from_secs(300);

type Service_ = Cache<Origin<ScriptedBody>>;

fn leasing(store: Store, lease: Duration) -> CacheLayerBuilder {
    CacheLayer::builder(store).lease(lease).patience(NEVER_OUT)
}

async fn process(place: &Place, origin: &Origin<ScriptedBody>, lease: Duration) -> Service_ {
    let layer = leasing(place.other_process().await, lease).build();
    service(&layer.expect("good options"), origin)
}

fn server(place: &Place) -> &RedisServer {
    place.server.as_ref().expect("a place on Redis")
}

fn asks(cache: &Service_, uri: &'static str) -> JoinHandle<Answer> {
    let cache = cache.clone();
    tokio::spawn(async move { ask(&cache, get(uri)).await })
}

/// The first process fetches `/a`, up to the gate, and the second waits for it.
async fn one_leads(
    place: &Place,
    gate: &Gate,
    [one, two]: [&Service_; 2],
) -> [JoinHandle<Answer>; 2] {
    let leader = asks(one, "/a");
    waits_at(gate, 1).await;
    let waiting = asks(two, "/a");
    processes_wait(server(place), 1).await;
    [leader, waiting]
}

async fn all(asking: Vec<JoinHandle<Answer>>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for one in asking {
        answers.push(one.await.expect("no panic"));
    }
    answers
}

fn names(server: &RedisServer, words: &[&str]) -> Vec<String> {
    match server.command(words) {
        Reply::Array(Some(names)) => names.iter().filter_map(Reply::text).collect(),
        other => panic!("{words:?} answers with a list, not {other:?}"),
    }
}

fn leases(server: &RedisServer) -> Vec<String> {
    let mut leases = names(server, &["KEYS", "keep:cl:*"]);
    leases.extend(names(server, &["KEYS", "keep:ol:*"]));
    leases
}

/// Processes that wait for the lease of another.
async fn processes_wait(server: &RedisServer, count: usize) {
    eventually(LONG, async || server.listeners() == count).await;
}

async fn waits_at(gate: &Gate, count: usize) {
    eventually(LONG, async || gate.waiters() == count).await;
}

fn nothing_stays_for_ever(server: &RedisServer) {
    for key in names(server, &["KEYS", "*"]) {
        let Reply::Integer(left) = server.command(&["PTTL", &key]) else {
            panic!("PTTL answers with a number");
        };
        assert!(left > 0 || left == -2, "{key} has no time to live");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_cold_requests_to_each_of_three_processes_make_one_call() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let (mut layers, mut asking) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let layer = leasing(place.other_process().await, NEVER_OUT).build();
        let layer = layer.expect("good options");
        let cache = service(&layer, &origin);
        asking.extend((0..100).map(|_| asks(&cache, "/a")));
        layers.push(layer);
    }
    waits_at(&gate, 1).await;
    processes_wait(server(&place), 2).await;
    nothing_stays_for_ever(server(&place));
    gate.open();
    let answers = all(asking).await;
    let count = |outcome| {
        let is = |answer: &&Answer| answer.outcome == Some(outcome);
        answers.iter().filter(is).count()
    };
    // Some may have been sent when it was there already.
    let shared = count(Outcome::Collapsed) + count(Outcome::Hit);
    assert_eq!((count(Outcome::Miss), shared), (1, 299));
    assert!(answers.iter().all(|answer| answer.text() == "1"));
    assert_eq!(origin.calls(), 1);
    assert!(leases(server(&place)).is_empty());
    processes_wait(server(&place), 0).await;
    let stats: Vec<_> = layers.iter().map(|layer| layer.handle().stats()).collect();
    assert_eq!(stats.iter().map(|of| of.leases).sum::<u64>(), 1);
    assert_eq!(stats.iter().map(|of| of.awaited).sum::<u64>(), 2);
    nothing_stays_for_ever(server(&place));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miss_costs_one_round_trip_more_and_a_hit_none() {
    let place = Place::redis().await;
    let origin = counting(MINUTE);
    let [one, two] = [
        process(&place, &origin, NEVER_OUT).await,
        process(&place, &origin, NEVER_OUT).await,
    ];
    let calls = |name: &str| {
        let stats = server(&place).command_stats();
        stats.get(name).copied().unwrap_or(0)
    };
    server(&place).reset_stats();
    ask(&one, get("/a")).await;
    eventually(LONG, async || calls("publish") == 1).await;
    let asked = calls("getrange");
    assert_eq!((asked, calls("set")), (1, 2), "the lease and the entry");
    let gets = calls("get");
    let hit = ask(&two, get("/a")).await;
    assert_eq!(hit.outcome, Some(Outcome::Hit));
    assert_eq!((calls("getrange"), calls("get")), (1, gets + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_leader_leaves_another_process_takes_over_at_once() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let [one, two] = [
        process(&place, &origin, NEVER_OUT).await,
        process(&place, &origin, NEVER_OUT).await,
    ];
    let [leader, waiting] = one_leads(&place, &gate, [&one, &two]).await;
    leader.abort();
    eventually(LONG, async || origin.calls() == 2).await;
    gate.open();
    assert_eq!(all(vec![waiting]).await[0].text(), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_process_vanishes_another_takes_over_when_its_lease_runs_out() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let lease = Duration::from_secs(3);
    let proxy = TcpProxy::start(server(&place).address()).await;
    let store = behind(&proxy, &place, LONG).await;
    let layer = leasing(store, lease).build().expect("good options");
    let leader = asks(&service(&layer, &origin), "/a");
    waits_at(&gate, 1).await;
    let other = process(&place, &origin, lease).await;
    let waiting = asks(&other, "/a");
    processes_wait(server(&place), 1).await;
    // Nothing of what it says is heard any more: it neither prolongs its lease nor gives it back.
    proxy.refuse().await;
    leader.abort();
    eventually(LONG, async || origin.calls() == 2).await;
    gate.open();
    assert_eq!(all(vec![waiting]).await[0].text(), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_takes_longer_than_a_lease_is_still_the_only_one() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let lease = Duration::from_millis(2_400);
    let [one, two] = [
        process(&place, &origin, lease).await,
        process(&place, &origin, lease).await,
    ];
    let asking = vec![asks(&one, "/a"), asks(&two, "/a")];
    waits_at(&gate, 1).await;
    server(&place).reset_stats();
    // Each time that it is prolonged, a third of its length has passed.
    eventually(LONG, async || {
        let stats = server(&place).command_stats();
        stats.get("pexpire").copied().unwrap_or(0) >= 4
    })
    .await;
    gate.open();
    all(asking).await;
    assert_eq!(origin.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shared_releases_all_processes_at_once_and_the_next_do_not_queue() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(
        &gate,
        &[("cache-control", "max-age=60"), ("set-cookie", "id=1")],
    );
    let mut asking = Vec::new();
    for _ in 0..3 {
        let cache = process(&place, &origin, NEVER_OUT).await;
        asking.extend((0..5).map(|_| asks(&cache, "/a")));
    }
    waits_at(&gate, 1).await;
    processes_wait(server(&place), 2).await;
    gate.let_through(1);
    // All others are at the origin together.
    waits_at(&gate, 14).await;
    let late = process(&place, &origin, NEVER_OUT).await;
    asking.extend((0..3).map(|_| asks(&late, "/a")));
    waits_at(&gate, 17).await;
    nothing_stays_for_ever(server(&place));
    gate.open();
    let mut bodies: Vec<_> = all(asking)
        .await
        .into_iter()
        .map(|answer| answer.body)
        .collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 18, "each got its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_during_the_fetch_leaves_it_to_those_who_asked_before() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let leading = process(&place, &origin, NEVER_OUT).await;
    let before = process(&place, &origin, NEVER_OUT).await;
    let store = place.other_process().await;
    let layer = leasing(store.clone(), NEVER_OUT).build();
    let layer = layer.expect("good options");
    let after = service(&layer, &origin);
    let leader = asks(&leading, "/a");
    waits_at(&gate, 1).await;
    let old = asks(&before, "/a");
    processes_wait(server(&place), 1).await;
    let uri = "/a".parse().expect("a URI");
    let purged = layer.handle().purge("example.com", &uri).await;
    purged.expect("written");
    let new = asks(&after, "/a");
    processes_wait(server(&place), 2).await;
    gate.let_through(1);
    let [led, old] = [leader, old].map(|one| async { one.await.expect("no panic") });
    assert_eq!((led.await.text(), old.await.text()), ("1", "1"));
    waits_at(&gate, 1).await;
    gate.open();
    assert_eq!(all(vec![new]).await[0].text(), "2");
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_costs_a_call_and_its_late_owner_leaves_the_next_one_alone() {
    let place = Place::redis().await;
    let [late_gate, next_gate] = [Gate::closed(), Gate::closed()];
    let [late_origin, next_origin] = [gated(&late_gate, MINUTE), gated(&next_gate, MINUTE)];
    let [late, next, third] = [
        process(&place, &late_origin, NEVER_OUT).await,
        process(&place, &next_origin, NEVER_OUT).await,
        process(&place, &next_origin, NEVER_OUT).await,
    ];
    let late = asks(&late, "/a");
    waits_at(&late_gate, 1).await;
    let lease = leases(server(&place)).pop().expect("a lease");
    server(&place).command(&["DEL", &lease]);
    let next = asks(&next, "/a");
    waits_at(&next_gate, 1).await;
    let token = server(&place).command(&["GET", &lease]);
    late_gate.open();
    eventually(LONG, async || {
        !names(server(&place), &["KEYS", "keep:c:*"]).is_empty()
    })
    .await;
    assert_eq!(server(&place).command(&["GET", &lease]), token);
    // The entry is as good as any.
    let third = ask(&third, get("/a")).await;
    assert_eq!(third.outcome, Some(Outcome::Hit));
    next_gate.open();
    all(vec![late, next]).await;
    assert_eq!((late_origin.calls(), next_origin.calls()), (1, 1));
    eventually(LONG, async || leases(server(&place)).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_during_the_fetch_costs_calls_and_keeps_nobody_waiting() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let [one, two] = [
        process(&place, &origin, NEVER_OUT).await,
        process(&place, &origin, NEVER_OUT).await,
    ];
    let asking = vec![asks(&one, "/a"), asks(&two, "/a")];
    waits_at(&gate, 1).await;
    processes_wait(server(&place), 1).await;
    server(&place).command(&["FLUSHALL"]);
    gate.open();
    all(asking).await;
    assert!(origin.calls() <= 2);
    nothing_stays_for_ever(server(&place));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_goes_on_when_redis_does_not() {
    let mut place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let other = process(&place, &origin, NEVER_OUT).await;
    let leader = asks(&process(&place, &origin, NEVER_OUT).await, "/a");
    waits_at(&gate, 1).await;
    let waiting: Vec<_> = (0..3).map(|_| asks(&other, "/a")).collect();
    processes_wait(server(&place), 1).await;
    place.server.as_mut().expect("on Redis").kill();
    // One fetch for its process, as ever.
    waits_at(&gate, 2).await;
    gate.open();
    for answer in all(waiting).await {
        assert_eq!(answer.text(), "2");
    }
    all(vec![leader]).await;
}

/// A process whose network the test controls.
async fn behind(proxy: &TcpProxy, place: &Place, deadline: Duration) -> Store {
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    let store = Store::builder()
        .deadline(deadline)
        .clock(place.clock.clone());
    let store = store.connect(&url).expect("a good URL");
    eventually(LONG, async || {
        store.log().is_current() && store.ping().await.is_ok()
    })
    .await;
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_goes_on_when_redis_says_nothing_any_more() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let leader = asks(&process(&place, &origin, NEVER_OUT).await, "/a");
    waits_at(&gate, 1).await;
    let proxy = TcpProxy::start(server(&place).address()).await;
    let store = behind(&proxy, &place, Duration::from_secs(2)).await;
    let layer = leasing(store, NEVER_OUT).build().expect("good options");
    let waiting = asks(&service(&layer, &origin), "/a");
    processes_wait(server(&place), 1).await;
    proxy.hang().await;
    waits_at(&gate, 2).await;
    gate.open();
    all(vec![leader, waiting]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_waiting_leaves_nothing_behind() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let leader = asks(&process(&place, &origin, NEVER_OUT).await, "/a");
    waits_at(&gate, 1).await;
    let waiting = asks(&process(&place, &origin, NEVER_OUT).await, "/a");
    processes_wait(server(&place), 1).await;
    waiting.abort();
    processes_wait(server(&place), 0).await;
    gate.open();
    all(vec![leader]).await;
    assert_eq!(origin.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_granted_to_nobody_is_given_back() {
    let place = Place::redis().await;
    let origin = gated(&Gate::closed(), MINUTE);
    let latency = Duration::from_millis(20);
    let proxy = TcpProxy::builder(server(&place).address()).latency(latency);
    let proxy = proxy.start().await;
    let store = behind(&proxy, &place, LONG).await;
    let layer = leasing(store, NEVER_OUT).build().expect("good options");
    let asking = asks(&service(&layer, &origin), "/a");
    eventually(LONG, async || !leases(server(&place)).is_empty()).await;
    // Most likely it does not know of it yet.
    asking.abort();
    eventually(LONG, async || leases(server(&place)).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_for_pushes_is_made_anew() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let [one, two] = [
        process(&place, &origin, NEVER_OUT).await,
        process(&place, &origin, NEVER_OUT).await,
    ];
    let [leader, waiting] = one_leads(&place, &gate, [&one, &two]).await;
    server(&place).command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    processes_wait(server(&place), 1).await;
    gate.open();
    all(vec![leader, waiting]).await;
    assert_eq!(origin.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_are_fetched_once_each() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(
        &gate,
        &[("cache-control", "max-age=60"), ("vary", "accept-language")],
    );
    let mut asking = Vec::new();
    let ask_in = |cache: &Service_, language: &'static str| {
        let cache = cache.clone();
        let request = request("GET", "/a", &[("accept-language", language)]);
        tokio::spawn(async move { ask(&cache, request).await })
    };
    let mut caches = Vec::new();
    for _ in 0..3 {
        let cache = process(&place, &origin, NEVER_OUT).await;
        asking.push(ask_in(&cache, "en"));
        caches.push(cache);
    }
    waits_at(&gate, 1).await;
    processes_wait(server(&place), 2).await;
    asking.push(ask_in(&caches[0], "de"));
    gate.open();
    all(asking).await;
    assert_eq!(origin.calls(), 2, "one for each language");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_of_one_process_does_not_hold_up_the_others() {
    let place = Place::redis().await;
    let origin = Origin::new(|_| {
        let answer = response(MINUTE, ScriptedBody::frames(["a", "b", "c"]));
        async move { Ok(answer) }
    });
    let mut one = process(&place, &origin, NEVER_OUT).await;
    let two = process(&place, &origin, NEVER_OUT).await;
    let ready = one.ready().await.expect("always ready");
    let slow = ready.call(get("/a")).await.expect("an answer");
    // Its client reads nothing yet.
    assert_eq!(ask(&two, get("/a")).await.text(), "abc");
    assert_eq!(origin.calls(), 1);
    assert_eq!(read(slow).await.text(), "abc");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_refreshes_the_others_do_not() {
    let place = Place::redis().await;
    let gate = Gate::opened();
    let origin = gated(
        &gate,
        &[("cache-control", "max-age=60, stale-while-revalidate=60")],
    );
    let mut caches = Vec::new();
    for _ in 0..3 {
        let cache = process(&place, &origin, NEVER_OUT).await;
        ask(&cache, get("/a")).await;
        place.written(2).await;
        caches.push(cache);
    }
    gate.close();
    place.clock.advance(Duration::from_secs(61));
    for cache in &caches {
        assert_eq!(ask(cache, get("/a")).await.outcome, Some(Outcome::Stale));
    }
    waits_at(&gate, 1).await;
    // The other two were told that it is held, and for how long.
    eventually(LONG, async || {
        let stats = server(&place).command_stats();
        stats.get("pttl").copied().unwrap_or(0) == 2
    })
    .await;
    gate.open();
    eventually(LONG, async || leases(server(&place)).is_empty()).await;
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_in_processes_only_is_not_waited_for_again() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = Origin::new({
        let gate = gate.clone();
        move |_| {
            let passed = gate.pass();
            async move {
                passed.await;
                let mut answer = response(&[], ScriptedBody::full("x"));
                let directive = tower_keep_cache::CacheDirective::class("here");
                answer.extensions_mut().insert(directive);
                Ok(answer)
            }
        }
    });
    let here = Class::fresh_for(Duration::from_secs(60)).store(false);
    let mut caches = Vec::new();
    for _ in 0..3 {
        let layer = leasing(place.other_process().await, NEVER_OUT)
            .classes(Classes::new().class("here", here.clone()));
        caches.push(service(&layer.build().expect("good options"), &origin));
    }
    let [one, two, three] = &caches[..] else {
        panic!("three of them");
    };
    let mut asking = vec![asks(one, "/a")];
    waits_at(&gate, 1).await;
    asking.extend((0..5).map(|_| asks(two, "/a")));
    processes_wait(server(&place), 1).await;
    gate.let_through(1);
    waits_at(&gate, 1).await;
    asking.extend((0..5).map(|_| asks(three, "/a")));
    waits_at(&gate, 2).await;
    gate.open();
    all(asking).await;
    assert_eq!(origin.calls(), 3, "one for each process");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_stands_in_the_slot_of_its_entry_whoever_asks() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(&gate, &[("cache-control", "public, max-age=60")]);
    let cache = process(&place, &origin, NEVER_OUT).await;
    let known = request("GET", "/a", &[("cookie", "id=1")]);
    let asking = {
        let cache = cache.clone();
        tokio::spawn(async move { ask(&cache, known).await })
    };
    let asking = vec![asking, asks(&cache, "/a")];
    waits_at(&gate, 2).await;
    let leases = leases(server(&place));
    assert_eq!(leases.len(), 2, "the one does not wait for the other");
    gate.open();
    all(asking).await;
    let entries = || names(server(&place), &["KEYS", "keep:c:*"]);
    eventually(LONG, async || !entries().is_empty()).await;
    let tag = |name: &str| name[name.find('{').expect("a tag")..][..24].to_owned();
    let entry = entries().pop().expect("an entry");
    assert!(leases.iter().all(|lease| tag(lease) == tag(&entry)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_channels_fetches_for_itself() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let user = [
        "ACL",
        "SETUSER",
        "app",
        "on",
        ">pw",
        "~*",
        "+@all",
        "resetchannels",
    ];
    server(&place).command(&user);
    let url = format!("redis://app:pw@127.0.0.1:{}", server(&place).port());
    let mut asking = Vec::new();
    for calls in 1..=2 {
        let store = Store::builder().deadline(LONG).clock(place.clock.clone());
        let store = store.connect(&url).expect("a good URL");
        eventually(LONG, async || store.log().is_current()).await;
        let layer = leasing(store, NEVER_OUT).build().expect("good options");
        asking.push(asks(&service(&layer, &origin), "/a"));
        waits_at(&gate, calls).await;
    }
    gate.open();
    all(asking).await;
    eventually(LONG, async || leases(server(&place)).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_record_in_the_place_of_a_lease_costs_calls() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let leader = asks(&process(&place, &origin, NEVER_OUT).await, "/a");
    waits_at(&gate, 1).await;
    let lease = leases(server(&place)).pop().expect("a lease");
    server(&place).command(&["DEL", &lease]);
    server(&place).command(&["RPUSH", &lease, "not ours"]);
    let other = asks(&process(&place, &origin, NEVER_OUT).await, "/a");
    waits_at(&gate, 2).await;
    gate.open();
    all(vec![leader, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_origin_is_asked_once_by_each_process_that_has_something_stale() {
    let place = Place::redis().await;
    let gate = Gate::opened();
    let calls = Arc::new(AtomicUsize::new(0));
    let origin = Origin::new({
        let (gate, calls) = (gate.clone(), calls.clone());
        move |_| {
            let fails = calls.fetch_add(1, Ordering::SeqCst) > 0;
            let passed = gate.pass();
            async move {
                passed.await;
                let fields = &[("cache-control", "max-age=60, stale-if-error=60")];
                let mut answer = response(fields, ScriptedBody::full("x"));
                if fails {
                    *answer.status_mut() = http::StatusCode::BAD_GATEWAY;
                }
                Ok(answer)
            }
        }
    });
    let mut caches = Vec::new();
    for _ in 0..3 {
        caches.push(process(&place, &origin, NEVER_OUT).await);
    }
    ask(&caches[0], get("/a")).await;
    place.written(2).await;
    place.clock.advance(Duration::from_secs(61));
    gate.close();
    let asking = caches
        .iter()
        .flat_map(|cache| (0..5).map(|_| asks(cache, "/a")));
    let asking: Vec<_> = asking.collect();
    waits_at(&gate, 1).await;
    processes_wait(server(&place), 2).await;
    gate.open();
    for answer in all(asking).await {
        assert_eq!((answer.text(), answer.outcome), ("x", Some(Outcome::Stale)));
    }
    assert!(calls.load(Ordering::SeqCst) <= 1 + 3);
}

fn objects(store: Store, lease: Duration) -> ObjectCache<u64> {
    let class = Class::fresh_for(Duration::from_secs(60)).lease(lease);
    ObjectCache::of_class(store, "number", class).expect("a good class")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_loaded_once_for_all_processes() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let loads = Arc::new(AtomicUsize::new(0));
    let mut asking = Vec::new();
    for _ in 0..3 {
        let objects = objects(place.other_process().await, NEVER_OUT);
        for _ in 0..100 {
            let (objects, gate, loads) = (objects.clone(), gate.clone(), loads.clone());
            asking.push(tokio::spawn(async move {
                let load = || async {
                    loads.fetch_add(1, Ordering::SeqCst);
                    gate.pass().await;
                    Ok::<_, Infallible>(7)
                };
                objects.get_or_load("seven", &[Tag::new("n")], load).await
            }));
        }
    }
    waits_at(&gate, 1).await;
    processes_wait(server(&place), 2).await;
    gate.open();
    for one in asking {
        assert_eq!(*one.await.expect("no panic").expect("it loads"), 7);
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    assert!(leases(server(&place)).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_load_lets_every_process_try() {
    let place = Place::redis().await;
    let gate = Gate::closed();
    let [one, two] = [
        objects(place.other_process().await, NEVER_OUT),
        objects(place.other_process().await, NEVER_OUT),
    ];
    let fails = |objects: ObjectCache<u64>| {
        let gate = gate.clone();
        tokio::spawn(async move {
            let load = || async {
                gate.pass().await;
                Err::<u64, _>("no database")
            };
            objects.get_or_load("seven", &[], load).await
        })
    };
    let first = fails(one);
    waits_at(&gate, 1).await;
    let second = fails(two);
    processes_wait(server(&place), 1).await;
    gate.let_through(1);
    assert!(first.await.expect("no panic").is_err());
    waits_at(&gate, 1).await;
    gate.open();
    assert!(second.await.expect("no panic").is_err());
    eventually(LONG, async || leases(server(&place)).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_something_stale_does_not_wait_for_the_process_that_loads() {
    let place = Place::redis().await;
    let gate = Gate::opened();
    let class = Class::fresh_for(Duration::from_secs(60))
        .stale_while_revalidate(Duration::from_secs(60))
        .lease(NEVER_OUT);
    let cache = async || {
        let store = place.other_process().await;
        ObjectCache::<u64>::of_class(store, "number", class.clone()).expect("a good class")
    };
    let load = |objects: &ObjectCache<u64>, value: u64| {
        let (objects, gate) = (objects.clone(), gate.clone());
        tokio::spawn(async move {
            let load = || async {
                gate.pass().await;
                Ok::<_, Infallible>(value)
            };
            *objects.get_or_load("n", &[], load).await.expect("it loads")
        })
    };
    let (one, two) = (cache().await, cache().await);
    assert_eq!(load(&one, 1).await.expect("no panic"), 1);
    eventually(LONG, async || leases(server(&place)).is_empty()).await;
    assert_eq!(load(&two, 2).await.expect("no panic"), 1, "from the store");
    place.clock.advance(Duration::from_secs(61));
    gate.close();
    let refreshing = load(&one, 3);
    waits_at(&gate, 1).await;
    assert_eq!(load(&two, 4).await.expect("no panic"), 1, "at once");
    gate.open();
    assert_eq!(refreshing.await.expect("no panic"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_read_is_not_answered_by_a_load_that_began_before_what_it_caught_up_with() {
    let server = RedisServer::start();
    let latency = Duration::from_millis(5);
    let proxy = TcpProxy::builder(server.address()).latency(latency);
    let proxy = proxy.start().await;
    let connect = async |url: &str| {
        let store = Store::builder().deadline(LONG).connect(url);
        let store = store.expect("a good URL");
        eventually(LONG, async || store.log().is_current()).await;
        let class = Class::fresh_for(Duration::from_secs(60)).lease(NEVER_OUT);
        let objects = ObjectCache::<usize>::of_class(store, "figure", class);
        objects
            .expect("a good class")
            .consistency(Consistency::Strict)
    };
    let loader = connect(&server.url()).await;
    let reader = connect(&format!("redis://{}", proxy.address())).await;
    let gate = Gate::closed();
    let early = {
        let (loader, gate) = (loader.clone(), gate.clone());
        let load = || async move {
            gate.pass().await;
            Ok::<_, Infallible>(1)
        };
        tokio::spawn(async move { loader.get_or_load("k", &[], load).await.map(|value| *value) })
    };
    waits_at(&gate, 1).await;
    loader.invalidate("k", Mode::Hard).await.expect("written");
    // It has not heard of it yet.
    let late = tokio::spawn(async move {
        let load = || async { Ok::<_, Infallible>(2) };
        reader.get_or_load("k", &[], load).await.map(|value| *value)
    });
    processes_wait(&server, 1).await;
    gate.open();
    assert_eq!(early.await.expect("no panic"), Ok(1), "it had asked before");
    assert_eq!(late.await.expect("no panic"), Ok(2));
}
