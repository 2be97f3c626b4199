//! Origins that take their time, fetched from by one process for all: each store of its own is a process in
//! miniature, all on one Redis.

mod common;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::timeout;
use tower_keep_cache::{Cache, CacheLayer, CachePolicy, Class, Classes, ObjectCache};
use tower_keep_store::{Outcome, Store};
use tower_keep_test_support::{
    Gate, Origin, RedisServer, Reply, ScriptedBody, TcpProxy, eventually,
};

use self::common::*;

const SHORT: Duration = Duration::from_millis(20);

/// So long that nobody in these tests takes over because it has run out.
const NEVER_OUT: Duration = Duration::from_secs(300);

/// Fresh for 10 s, and for 10 minutes more if the origin fails.
fn class() -> Class {
    Class::fresh_for(Duration::from_secs(10))
        .stale_if_error(Duration::from_secs(600))
        .soft_timeout(SHORT)
        .lease(NEVER_OUT)
}

async fn process(
    place: &Place,
    origin: &Origin<ScriptedBody>,
    class: Class,
) -> Cache<Origin<ScriptedBody>> {
    let layer = CacheLayer::builder(place.other_process().await)
        .patience(NEVER_OUT)
        .classes(Classes::new().class("page", class))
        .class("page");
    service(&layer.build().expect("good options"), origin)
}

fn server(place: &Place) -> &RedisServer {
    place.server.as_ref().expect("a place on Redis")
}

fn names(server: &RedisServer, pattern: &str) -> Vec<String> {
    match server.command(&["KEYS", pattern]) {
        Reply::Array(Some(names)) => names.iter().filter_map(Reply::text).collect(),
        other => panic!("a list, not {other:?}"),
    }
}

fn leases(place: &Place) -> usize {
    let count = |pattern| names(server(place), pattern).len();
    count("keep:cl:*") + count("keep:ol:*")
}

async fn in_time(asking: impl Future<Output = Answer>) -> Answer {
    timeout(LONG, asking).await.expect("nobody waits so long")
}

/// What answers, and that it is the stale one.
fn stale(answer: &Answer) -> bool {
    (answer.text(), answer.outcome) == ("1", Some(Outcome::Stale))
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_process_fetches_on_no_other_waits_longer_or_calls_the_origin() {
    for first_level in [true, false] {
        let place = Place::redis().await;
        let gate = Gate::opened();
        let origin = gated(&gate, &[]);
        let class = class().first_level(first_level);
        let one = process(&place, &origin, class.clone()).await;
        let two = process(&place, &origin, class).await;
        ask(&one, get("/a")).await;
        place.written(2).await;
        assert_eq!(ask(&two, get("/a")).await.text(), "1");
        place.clock.advance(Duration::from_secs(15));
        gate.close();
        assert!(stale(&in_time(ask(&one, get("/a"))).await));
        for _ in 0..3 {
            assert!(stale(&in_time(ask(&two, get("/a"))).await));
            assert!(stale(&in_time(ask(&one, get("/a"))).await));
            // Longer than what is stale answers without another look.
            place.clock.advance(Duration::from_secs(2));
        }
        eventually(LONG, async || gate.waiters() == 1).await;
        assert_eq!((origin.calls(), gate.waiters(), leases(&place)), (2, 1, 1));
        gate.open();
        eventually(LONG, async || leases(&place) == 0).await;
        for cache in [&one, &two] {
            assert_eq!(in_time(ask(cache, get("/a"))).await.text(), "2");
        }
        assert_eq!(origin.calls(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_nothing_stale_waits_for_the_fetch_that_goes_on() {
    let place = Place::redis().await;
    let gate = Gate::opened();
    let origin = gated(&gate, &[]);
    let one = process(&place, &origin, class()).await;
    let two = process(&place, &origin, class()).await;
    ask(&one, get("/a")).await;
    place.written(2).await;
    place.clock.advance(Duration::from_secs(15));
    gate.close();
    assert!(stale(&in_time(ask(&one, get("/a"))).await));
    for entry in names(server(&place), "keep:c:*") {
        server(&place).command(&["DEL", &entry]);
    }
    let waiting = tokio::spawn(async move { ask(&two, get("/a")).await });
    eventually(LONG, async || server(&place).listeners() == 1).await;
    assert_eq!((origin.calls(), gate.waiters()), (2, 1));
    gate.open();
    let answer = in_time(async { waiting.await.expect("no panic") }).await;
    assert_eq!(
        (answer.text(), answer.outcome),
        ("2", Some(Outcome::Collapsed))
    );
    assert_eq!(origin.calls(), 2);
}

/// A loader whose loads wait at the gate.
#[derive(Clone)]
struct Loader {
    objects: ObjectCache<usize>,
    gate: Gate,
    loads: Arc<AtomicUsize>,
}

impl Loader {
    fn new(store: Store, class: Class) -> Self {
        Self {
            objects: ObjectCache::of_class(store, "n", class).expect("a good class"),
            gate: Gate::opened(),
            loads: Arc::default(),
        }
    }

    /// In front of another process's cache.
    async fn elsewhere(&self, place: &Place, class: Class) -> Self {
        let store = place.other_process().await;
        Self {
            objects: Self::new(store, class).objects,
            ..self.clone()
        }
    }

    async fn value(&self) -> usize {
        let loader = self.clone();
        let load = move || async move {
            let load = loader.loads.fetch_add(1, Ordering::SeqCst) + 1;
            loader.gate.pass().await;
            Ok::<_, Infallible>(load)
        };
        let value = timeout(LONG, self.objects.get_or_refresh("k", &[], load)).await;
        *value.expect("nobody waits so long").expect("it loads")
    }

    fn loads(&self) -> (usize, usize) {
        (self.loads.load(Ordering::SeqCst), self.gate.waiters())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_process_loads_on_no_other_waits_longer_or_loads() {
    for first_level in [true, false] {
        let place = Place::redis().await;
        let class = class().first_level(first_level);
        let one = Loader::new(place.other_process().await, class.clone());
        let two = one.elsewhere(&place, class).await;
        one.value().await;
        place.written(2).await;
        assert_eq!(two.value().await, 1);
        place.clock.advance(Duration::from_secs(15));
        one.gate.close();
        for _ in 0..3 {
            assert_eq!((one.value().await, two.value().await), (1, 1));
            place.clock.advance(Duration::from_secs(2));
        }
        eventually(LONG, async || one.loads().1 == 1).await;
        assert_eq!((one.loads(), leases(&place)), ((2, 1), 1));
        one.gate.open();
        eventually(LONG, async || leases(&place) == 0).await;
        assert_eq!((one.value().await, two.value().await), (2, 2));
        assert_eq!(one.loads(), (2, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_later_waits_no_longer_for_a_load_that_goes_on() {
    let place = Place::memory();
    let loader = Loader::new(place.store.clone(), class());
    loader.value().await;
    place.clock.advance(Duration::from_secs(15));
    loader.gate.close();
    for _ in 0..3 {
        assert_eq!(loader.value().await, 1);
        place.clock.advance(Duration::from_secs(2));
    }
    eventually(LONG, async || loader.loads().1 == 1).await;
    assert_eq!(loader.loads(), (2, 1));
    loader.gate.open();
    eventually(LONG, async || loader.value().await == 2).await;
    assert_eq!(loader.loads(), (2, 0));
}

/// However long others may wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_goes_on_however_long_the_patience() {
    let place = Place::memory();
    let gate = Gate::opened();
    let origin = gated(&gate, &[]);
    let layer = place.layer().patience(Duration::MAX);
    let layer = layer.classes(Classes::new().class("page", class()));
    let layer = layer.class("page").build().expect("good options");
    let cache = service(&layer, &origin);
    let hard = class().hard_timeout(Duration::MAX);
    let loader = Loader::new(place.store.clone(), hard);
    ask(&cache, get("/a")).await;
    loader.value().await;
    place.clock.advance(Duration::from_secs(15));
    gate.close();
    loader.gate.close();
    assert!(stale(&in_time(ask(&cache, get("/a"))).await));
    assert_eq!(loader.value().await, 1);
    gate.open();
    loader.gate.open();
    eventually(LONG, async || ask(&cache, get("/a")).await.text() == "2").await;
    eventually(LONG, async || loader.value().await == 2).await;
}

fn demanding(control: &str) -> http::Request<ScriptedBody> {
    request("GET", "/a", &[("cache-control", control)])
}

async fn heeding(place: &Place, origin: &Origin<ScriptedBody>) -> Cache<Origin<ScriptedBody>> {
    let layer = CacheLayer::builder(place.other_process().await)
        .policy(CachePolicy::rfc9111())
        .patience(NEVER_OUT)
        .lease(NEVER_OUT);
    service(&layer.build().expect("good options"), origin)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_all_processes_demand_anew_is_fetched_once() {
    let place = Place::redis().await;
    let gate = Gate::opened();
    let origin = gated(&gate, &[("cache-control", "max-age=60")]);
    let mut caches = Vec::new();
    for _ in 0..3 {
        caches.push(heeding(&place, &origin).await);
    }
    ask(&caches[0], get("/a")).await;
    place.written(2).await;
    for cache in &caches {
        assert_eq!(ask(cache, get("/a")).await.text(), "1");
    }
    place.clock.advance(Duration::from_secs(1));
    gate.close();
    let asking: Vec<_> = caches
        .into_iter()
        .map(|cache| tokio::spawn(async move { ask(&cache, demanding("no-cache")).await }))
        .collect();
    eventually(LONG, async || gate.waiters() == 1).await;
    eventually(LONG, async || server(&place).listeners() == 2).await;
    gate.let_through(1);
    for one in asking {
        let answer = in_time(async { one.await.expect("no panic") }).await;
        assert_eq!(answer.text(), "2");
    }
    assert_eq!(origin.calls(), 2);
}

#[tokio::test]
async fn who_accepts_what_is_stale_accepts_it_for_himself_only() {
    let place = Place::redis().await;
    let origin = counting(&[("cache-control", "max-age=60"), ("etag", "\"v1\"")]);
    let one = heeding(&place, &origin).await;
    let two = heeding(&place, &origin).await;
    ask(&one, get("/a")).await;
    place.written(2).await;
    place.clock.advance(Duration::from_secs(70));
    let [accepts, plain] = [demanding("max-stale=100"), get("/a")];
    // The first asks the store, the second waits for that.
    let (accepts, plain) = tokio::join!(ask(&two, accepts), ask(&two, plain));
    assert!(stale(&accepts));
    assert_eq!(plain.text(), "2", "{:?}", plain.outcome);
}

/// Each round trip takes longer than the soft time-out.
async fn far_process(place: &Place, class: Class) -> (CacheLayer, TcpProxy) {
    let proxy = TcpProxy::builder(server(place).address()).latency(2 * SHORT);
    let proxy = proxy.start().await;
    let store = Store::builder().deadline(LONG).clock(place.clock.clone());
    let store = store.connect(&format!("redis://127.0.0.1:{}", proxy.port()));
    let store = store.expect("a good URL");
    eventually(LONG, async || store.log().is_current()).await;
    let layer = CacheLayer::builder(store).patience(NEVER_OUT);
    let layer = layer.classes(Classes::new().class("page", class));
    (layer.class("page").build().expect("good options"), proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_far_keeps_nobody_from_the_origin() {
    let place = Place::redis().await;
    let origin = counting(&[]);
    let (layer, _proxy) = far_process(&place, class()).await;
    let far = service(&layer, &origin);
    ask(&far, get("/a")).await;
    place.written(2).await;
    place.clock.advance(Duration::from_secs(15));
    in_time(ask(&far, get("/a"))).await;
    eventually(LONG, async || origin.calls() == 2).await;
}

/// The other process is far from the store: after it has looked there, and before it asks for the lease, the
/// refresh has landed.
#[tokio::test(flavor = "multi_thread")]
async fn what_lands_between_a_look_and_a_lease_is_not_fetched_again() {
    for first_level in [true, false] {
        let place = Place::redis().await;
        let gate = Gate::opened();
        let origin = gated(&gate, &[]);
        let class = Class::fresh_for(Duration::from_secs(10))
            .stale_while_revalidate(Duration::from_secs(600))
            .first_level(first_level)
            .lease(NEVER_OUT);
        let near = process(&place, &origin, class.clone()).await;
        let (layer, _proxy) = far_process(&place, class).await;
        let far = service(&layer, &origin);
        ask(&near, get("/a")).await;
        place.written(2).await;
        assert_eq!(ask(&far, get("/a")).await.text(), "1");
        place.clock.advance(Duration::from_secs(15));
        gate.close();
        assert!(stale(&ask(&near, get("/a")).await));
        eventually(LONG, async || gate.waiters() == 1).await;
        server(&place).reset_stats();
        let asking = tokio::spawn({
            let far = far.clone();
            async move { ask(&far, get("/a")).await }
        });
        let count = |name: &str| {
            let stats = server(&place).command_stats();
            stats.get(name).copied().unwrap_or(0)
        };
        eventually(LONG, async || count("get") == 1).await;
        gate.let_through(1);
        eventually(LONG, async || count("publish") == 1).await;
        assert!(stale(&asking.await.expect("no panic")));
        let in_flight = || layer.handle().stats().in_flight as usize;
        eventually(LONG, async || in_flight() == gate.waiters()).await;
        assert_eq!(origin.calls(), 2);
        assert_eq!(ask(&far, get("/a")).await.text(), "2");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_shuts_down_gives_back_the_lease_of_a_fetch_that_goes_on() {
    let place = Place::redis().await;
    let gate = Gate::opened();
    let origin = gated(&gate, &[]);
    let layer = CacheLayer::builder(place.other_process().await).patience(NEVER_OUT);
    let layer = layer.classes(Classes::new().class("page", class()));
    let layer = layer.class("page").build().expect("good options");
    let cache = service(&layer, &origin);
    let loader = Loader::new(place.other_process().await, class());
    ask(&cache, get("/a")).await;
    loader.value().await;
    place.written(4).await;
    place.clock.advance(Duration::from_secs(15));
    gate.close();
    loader.gate.close();
    assert!(stale(&in_time(ask(&cache, get("/a"))).await));
    assert_eq!(loader.value().await, 1);
    eventually(LONG, async || {
        (gate.waiters(), loader.gate.waiters()) == (1, 1)
    })
    .await;
    assert_eq!(leases(&place), 2);
    let unfinished = layer.handle().shutdown(Duration::ZERO).await;
    assert_eq!(unfinished.refreshes, 1);
    assert_eq!(loader.objects.shutdown(Duration::ZERO).await.refreshes, 1);
    eventually(LONG, async || leases(&place) == 0).await;
    // Nothing begins any more that would go on.
    place.clock.advance(Duration::from_secs(2));
    assert!(stale(&in_time(ask(&cache, get("/a"))).await));
    assert_eq!(loader.value().await, 1);
    eventually(LONG, async || leases(&place) == 0).await;
    assert_eq!((gate.waiters(), loader.gate.waiters()), (0, 0));
}

/// Many threads, all at the moment at which what is stale stands in: the lease is never lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_while_something_stale_stands_in_makes_one_call() {
    for _ in 0..5 {
        let place = Place::redis().await;
        let gate = Gate::opened();
        let origin = gated(&gate, &[]);
        let one = process(&place, &origin, class()).await;
        let two = process(&place, &origin, class()).await;
        ask(&one, get("/a")).await;
        place.written(2).await;
        assert_eq!(ask(&two, get("/a")).await.text(), "1");
        place.clock.advance(Duration::from_secs(15));
        gate.close();
        let storm = [&one, &two].map(|cache| {
            let cache = cache.clone();
            tokio::spawn(async move {
                let asking: Vec<_> = (0..20)
                    .map(|_| {
                        let cache = cache.clone();
                        tokio::spawn(async move {
                            for _ in 0..20 {
                                assert!(stale(&in_time(ask(&cache, get("/a"))).await));
                            }
                        })
                    })
                    .collect();
                for one in asking {
                    one.await.expect("no panic");
                }
            })
        });
        for one in storm {
            one.await.expect("no panic");
        }
        eventually(LONG, async || gate.waiters() == 1).await;
        assert_eq!((origin.calls(), gate.waiters(), leases(&place)), (2, 1, 1));
        gate.open();
        eventually(LONG, async || leases(&place) == 0).await;
    }
}

/// Lead, lease and early refresh together: whoever is drawn, the cluster makes one call.
#[tokio::test(flavor = "multi_thread")]
async fn early_refreshes_of_all_processes_make_one_call() {
    let place = Place::redis().await;
    let gate = Gate::opened();
    let origin = Origin::new({
        let (gate, clock) = (gate.clone(), place.clock.clone());
        let calls = AtomicUsize::new(0);
        move |_| {
            let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
            if call == 1 {
                // So it is due as soon as half of its lifetime has passed.
                clock.advance(Duration::from_secs(10));
            }
            let passed = gate.pass();
            async move {
                passed.await;
                Ok(response(&[], ScriptedBody::full(call.to_string())))
            }
        }
    });
    let class = Class::fresh_for(Duration::from_secs(60))
        .early_refresh(1_000_000.0)
        .lease(NEVER_OUT);
    let mut caches = Vec::new();
    for _ in 0..3 {
        caches.push(process(&place, &origin, class.clone()).await);
    }
    ask(&caches[0], get("/a")).await;
    place.written(2).await;
    for cache in &caches {
        assert_eq!(ask(cache, get("/a")).await.text(), "1");
    }
    gate.close();
    place.clock.advance(Duration::from_secs(50));
    for _ in 0..3 {
        for cache in &caches {
            let answer = in_time(ask(cache, get("/a"))).await;
            assert_eq!((answer.text(), answer.outcome), ("1", Some(Outcome::Hit)));
        }
        place.clock.advance(Duration::from_secs(2));
    }
    eventually(LONG, async || gate.waiters() == 1).await;
    // Past its end: nobody has anything that may answer, and all wait for the one that refreshes.
    place.clock.advance(Duration::from_secs(20));
    let asking: Vec<_> = caches
        .iter()
        .map(|cache| {
            let cache = cache.clone();
            tokio::spawn(async move { ask(&cache, get("/a")).await })
        })
        .collect();
    eventually(LONG, async || server(&place).listeners() == 2).await;
    assert_eq!(origin.calls(), 2);
    gate.open();
    for one in asking {
        let answer = in_time(async { one.await.expect("no panic") }).await;
        assert_eq!(answer.text(), "2");
    }
    assert_eq!(origin.calls(), 2);
}
