//! What the cell of a request, and whoever observes lookups, are told of the origin.

mod common;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use tower::Service;
use tower_keep_cache::{Class, ObjectCache};
use tower_keep_store::{
    Clock, Level, Lookup, LookupKind, Mode, Observer, Outcome, OutcomeCell, Store, Told,
};
use tower_keep_test_support::{Gate, Origin, OriginError, ScriptedBody, eventually};

use self::common::*;

const HEAD: Duration = Duration::from_millis(30);
const BODY: Duration = Duration::from_millis(12);
const WHOLE: Duration = Duration::from_millis(42);

/// An origin that takes its time for the head and for the body, and fails when it is told to.
#[derive(Clone)]
struct Slow {
    origin: Origin<ScriptedBody>,
    fails: Arc<AtomicBool>,
}

impl Slow {
    fn new(clock: &Clock, fields: &'static [(&'static str, &'static str)]) -> Self {
        let (clock, fails) = (clock.clone(), Arc::new(AtomicBool::new(false)));
        let is_down = fails.clone();
        let origin = Origin::new(move |_| {
            let (clock, is_down) = (clock.clone(), is_down.clone());
            async move {
                clock.advance(HEAD);
                let pause = {
                    let clock = clock.clone();
                    async move { clock.advance(BODY) }
                };
                let body = ScriptedBody::full("four").wait(pause).data("more");
                let mut answer = response(fields, body);
                if is_down.load(Ordering::SeqCst) {
                    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                }
                Ok(answer)
            }
        });
        Self { origin, fails }
    }
}

fn of(outcome: Outcome, time: Duration) -> Told {
    Told::from(outcome).origin_time(time)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_on_either_level_is_told_what_its_own_entry_took() {
    for place in Place::both().await {
        let slow = Slow::new(&place.clock, MINUTE);
        let cache = service(&place.layer().build().expect("good options"), &slow.origin);
        let miss = ask(&cache, get("/a")).await;
        assert_eq!(miss.told, Some(of(Outcome::Miss, WHOLE)));
        let hit = of(Outcome::Hit, WHOLE);
        assert_eq!(ask(&cache, get("/a")).await.told, Some(hit));
        assert_eq!(
            ask(&cache, request("HEAD", "/a", &[])).await.told,
            Some(hit)
        );
        // Another process has it from the store, and then in its own first level.
        place.written(1).await;
        let elsewhere = tower_keep_cache::CacheLayer::new(place.other_process().await);
        let elsewhere = service(&elsewhere, &slow.origin);
        for _ in 0..2 {
            let asked = ask(&elsewhere, get("/a")).await;
            if place.server.is_some() {
                assert_eq!(asked.told, Some(hit));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn time_that_a_reader_takes_is_not_the_origins() {
    let place = Place::memory();
    let slow = Slow::new(&place.clock, MINUTE);
    let mut cache = service(&place.layer().build().expect("good options"), &slow.origin);
    let cell = OutcomeCell::default();
    let mut asked = get("/a");
    asked.extensions_mut().insert(cell.clone());
    let response = cache.call(asked).await.expect("an answer");
    assert_eq!(cell.told(), Some(of(Outcome::Miss, HEAD)), "to the head");
    place.clock.advance(Duration::from_secs(5));
    read(response).await;
    assert_eq!(cell.told(), Some(of(Outcome::Miss, WHOLE)));
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_are_told_what_it_took_and_made_no_call() {
    for place in Place::both().await {
        let gate = Gate::closed();
        let (at, clock) = (gate.clone(), place.clock.clone());
        let origin = Origin::new(move |_| {
            let (passed, clock) = (at.pass(), clock.clone());
            async move {
                passed.await;
                clock.advance(HEAD);
                Ok(response(MINUTE, ScriptedBody::full("x")))
            }
        });
        let cache = service(&place.layer().build().expect("good options"), &origin);
        let asking = || {
            let cache = cache.clone();
            tokio::spawn(async move { ask(&cache, get("/a")).await.told })
        };
        let leader = asking();
        eventually(LONG, async || gate.waiters() == 1).await;
        // The follower is polled once, and waits.
        let mut follower = Box::pin(ask(&cache, get("/a")));
        assert!(poll_once(&mut follower).await.is_none());
        gate.open();
        assert_eq!(
            leader.await.expect("no panic"),
            Some(of(Outcome::Miss, HEAD))
        );
        assert_eq!(follower.await.told, Some(of(Outcome::Collapsed, HEAD)));
        assert_eq!(origin.calls(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_answer_counts_the_refresh_that_it_begins() {
    for place in Place::both().await {
        let fields = &[(
            "cache-control",
            "max-age=10, stale-while-revalidate=100, stale-if-error=500",
        )];
        let slow = Slow::new(&place.clock, fields);
        let cache = service(&place.layer().build().expect("good options"), &slow.origin);
        ask(&cache, get("/a")).await;
        place.clock.advance(Duration::from_secs(20));
        let stale = of(Outcome::Stale, WHOLE);
        assert_eq!(
            ask(&cache, get("/a")).await.told,
            Some(stale.origin_calls(1))
        );
        eventually(LONG, async || slow.origin.calls() == 2).await;
        eventually(LONG, async || {
            ask(&cache, get("/a")).await.outcome == Some(Outcome::Hit)
        })
        .await;

        // Past that window it bridges an error of the origin, which was called in vain, and is then left alone.
        place.written(2).await;
        slow.fails.store(true, Ordering::SeqCst);
        place.clock.advance(Duration::from_secs(200));
        assert_eq!(
            ask(&cache, get("/a")).await.told,
            Some(stale.origin_calls(1))
        );
        assert_eq!(ask(&cache, get("/a")).await.told, Some(stale));
        assert_eq!(slow.origin.calls(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_entry_of_another_process_is_told_with_its_cost() {
    let place = Place::redis().await;
    let fields = &[("cache-control", "max-age=10, stale-while-revalidate=100")];
    let slow = Slow::new(&place.clock, fields);
    let cache = service(&place.layer().build().expect("good options"), &slow.origin);
    ask(&cache, get("/a")).await;
    place.written(1).await;
    place.clock.advance(Duration::from_secs(20));
    let elsewhere = tower_keep_cache::CacheLayer::new(place.other_process().await);
    let elsewhere = service(&elsewhere, &slow.origin);
    let stale = of(Outcome::Stale, WHOLE).origin_calls(1);
    assert_eq!(ask(&elsewhere, get("/a")).await.told, Some(stale));
    eventually(LONG, async || slow.origin.calls() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_by_fails_or_is_refused_is_told_so() {
    let place = Place::memory();
    let slow = Slow::new(&place.clock, MINUTE);
    let cache = service(&place.layer().build().expect("good options"), &slow.origin);
    for method in ["OPTIONS", "POST"] {
        let told = ask(&cache, request(method, "/a", &[])).await.told;
        assert_eq!(told, Some(Outcome::Bypass.into()), "{method}");
    }
    let only = request("GET", "/b", &[("cache-control", "only-if-cached")]);
    let refused = ask(&cache, only).await;
    assert_eq!(refused.status, StatusCode::GATEWAY_TIMEOUT);
    let told = refused.told.expect("told");
    assert_eq!((told.outcome, told.origin_calls), (Outcome::Rejected, 0));
    assert_eq!(slow.origin.calls(), 2);

    let origin = Origin::new(|_| async { Err(OriginError::numbered(7)) });
    for method in ["GET", "HEAD", "OPTIONS", "POST"] {
        let mut cache = service(&place.layer().build().expect("good options"), &origin);
        let cell = OutcomeCell::default();
        let mut asked = request(method, "/fails", &[]);
        asked.extensions_mut().insert(cell.clone());
        cache.call(asked).await.expect_err("the origin fails");
        assert_eq!(cell.told(), Some(Outcome::Error.into()), "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_cancelled_at_the_origin_has_called_it() {
    let place = Place::memory();
    let gate = Gate::closed();
    let origin = gated(&gate, MINUTE);
    let cache = service(&place.layer().build().expect("good options"), &origin);
    for method in ["GET", "OPTIONS", "POST"] {
        let cell = OutcomeCell::default();
        let mut asked = request(method, "/a", &[]);
        asked.extensions_mut().insert(cell.clone());
        let mut cache = cache.clone();
        let asking = tokio::spawn(async move { cache.call(asked).await.is_ok() });
        eventually(LONG, async || gate.waiters() == 1).await;
        asking.abort();
        asking.await.expect_err("it was cancelled");
        assert_eq!((cell.told(), cell.origin_calls()), (None, 1), "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miss_that_is_not_stored_says_so() {
    let place = Place::memory();
    type Fields = &'static [(&'static str, &'static str)];
    type Case = (Fields, fn() -> ScriptedBody, bool);
    let plain: Fields = &[("cache-control", "max-age=60")];
    let long = || ScriptedBody::frames(vec![vec![0_u8; 1 << 20]; 40]).unknown_length();
    let short = || ScriptedBody::full("x");
    let cookies = || {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("set-cookie", "a=b".parse().expect("a value"));
        ScriptedBody::full("x").trailers(trailers)
    };
    let cases: [Case; 5] = [
        (plain, short, false),
        (&[("cache-control", "no-store")], short, true),
        (
            &[("cache-control", "max-age=60"), ("set-cookie", "a=b")],
            short,
            true,
        ),
        (plain, cookies, true),
        (plain, long, true),
    ];
    for (number, (fields, body, is_unstored)) in cases.into_iter().enumerate() {
        let origin = Origin::new(move |_| async move { Ok(response(fields, body())) });
        let cache = service(&place.layer().build().expect("good options"), &origin);
        let told = ask(&cache, get(&format!("/{number}")))
            .await
            .told
            .expect("told");
        let found = (told.outcome, told.origin_calls, told.is_unstored);
        assert_eq!(found, (Outcome::Miss, 1, is_unstored), "{number}");
    }
}

/// A cache around another: whoever answers knows whether the origin was called.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_caches_the_one_that_answers_tells() {
    let [inner, outer] = [Place::memory(), Place::memory()];
    let slow = Slow::new(&inner.clock, MINUTE);
    let inner = service(&inner.layer().build().expect("good options"), &slow.origin);
    let layer = outer.layer().build().expect("good options");
    let mut told = Vec::new();
    for _ in 0..2 {
        let mut cache = tower::Layer::layer(&layer, inner.clone());
        let cell = OutcomeCell::default();
        // To the outer one this is no lookup, to the inner one it is.
        let mut asked = get("/a");
        asked.extensions_mut().insert(cell.clone());
        read(cache.call(asked).await.expect("an answer")).await;
        told.push(cell.told().expect("told"));
        let uri = "/a".parse().expect("a URI");
        let purged = layer.handle().purge("example.com", &uri).await;
        purged.expect("embedded");
    }
    let told: Vec<_> = told
        .iter()
        .map(|told| (told.outcome, told.origin_calls))
        .collect();
    assert_eq!(told, [(Outcome::Miss, 1), (Outcome::Hit, 0)]);
}

#[derive(Default)]
struct Heard(Mutex<Vec<(String, Told, Duration)>>);

impl Observer for Heard {
    fn observe(&self, lookup: &Lookup<'_>) {
        assert_eq!(lookup.kind, LookupKind::Objects);
        let heard = (lookup.class.to_owned(), lookup.told, lookup.took);
        self.0.lock().expect("nobody panicked").push(heard);
    }
}

impl Heard {
    fn of(store: &Store) -> Arc<Self> {
        let heard = Arc::new(Self::default());
        let observer: Arc<dyn Observer> = heard.clone();
        store.observe(&observer);
        heard
    }

    fn next(&self) -> Option<Told> {
        let mut heard = self.0.lock().expect("nobody panicked");
        assert!(heard.len() <= 1, "one lookup is told once");
        heard.pop().map(|(_, told, _)| told)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_observes_hears_of_every_lookup_of_an_object() {
    for place in Place::both().await {
        let heard = Heard::of(&place.store);
        let class = Class::fresh_for(Duration::from_secs(60))
            .stale_while_revalidate(Duration::from_secs(60))
            .stale_if_error(Duration::from_secs(600));
        let objects = |store: &Store| {
            let objects = ObjectCache::<String>::of_class(store.clone(), "names", class.clone());
            objects.expect("a good class")
        };
        let names = objects(&place.store);
        let load = async |names: &ObjectCache<String>, answer: Result<&str, u8>| {
            let clock = place.clock.clone();
            let loading = || async move {
                clock.advance(HEAD);
                answer.map(str::to_owned)
            };
            names.get_or_load("1", &[], loading).await.map(drop)
        };
        load(&names, Err(1)).await.expect_err("the loader fails");
        assert_eq!(heard.next(), Some(Outcome::Error.into()));
        load(&names, Ok("a")).await.expect("loads");
        assert_eq!(heard.next(), Some(of(Outcome::Miss, HEAD)));
        load(&names, Ok("a")).await.expect("there");
        assert_eq!(heard.next(), Some(of(Outcome::Hit, HEAD)));

        let absent = || async { Ok::<_, u8>(None) };
        names
            .find_or_load("2", &[], absent)
            .await
            .expect("answered");
        let told = heard.next().expect("told");
        assert_eq!((told.outcome, told.is_unstored), (Outcome::Miss, true));

        place.written(1).await;
        if place.server.is_some() {
            let store = place.other_process().await;
            let (elsewhere, names) = (Heard::of(&store), objects(&store));
            load(&names, Ok("a")).await.expect("there");
            assert_eq!(elsewhere.next(), Some(of(Outcome::Hit, HEAD)));
        }

        place.clock.advance(Duration::from_secs(90));
        load(&names, Err(1)).await.expect("stale");
        assert_eq!(heard.next(), Some(of(Outcome::Stale, HEAD).origin_calls(1)));
        load(&names, Err(1)).await.expect("stale");
        assert_eq!(heard.next(), Some(of(Outcome::Stale, HEAD)));

        let (gate, loading) = (Gate::closed(), names.clone());
        let passed = gate.pass();
        let cancelled = tokio::spawn(async move {
            let load = || async move {
                passed.await;
                Ok::<_, u8>(String::new())
            };
            loading.get_or_load("3", &[], load).await.is_ok()
        });
        eventually(LONG, async || gate.waiters() == 1).await;
        cancelled.abort();
        cancelled.await.expect_err("it was cancelled");
        let told = heard.next().expect("told");
        assert_eq!((told.outcome, told.origin_calls), (Outcome::Cancelled, 1));
        // A written value is not looked up, and nobody knows what it would take to load.
        let written = async { Ok::<_, u8>("b".to_owned()) };
        let written = names.write("1", &[], written).await.expect("written");
        written.told.expect("it stands");
        assert_eq!(heard.next(), None);
        load(&names, Ok("x")).await.expect("there");
        assert_eq!(heard.next(), Some(Outcome::Hit.into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_level_tells_what_expired_and_what_made_room() {
    let place = Place::memory();
    let origin =
        Origin::new(async |_| Ok(response(MINUTE, ScriptedBody::full(vec![0_u8; 100_000]))));
    let layer = place.layer().first_level_bytes(8 << 20);
    let layer = layer.classes(tower_keep_cache::Classes::new());
    let cache = match layer.build() {
        Ok(layer) => service(&layer, &origin),
        Err(error) => panic!("{error}"),
    };
    let gone = || {
        let evictions = place.store.evictions();
        (
            evictions.evicted(Level::First),
            evictions.expired(Level::First),
        )
    };
    ask(&cache, get("/a")).await;
    place.clock.advance(Duration::from_secs(61));
    ask(&cache, get("/a")).await;
    assert_eq!(gone(), (0, 1));
    // Invalid is not expired.
    place
        .store
        .log()
        .append(&[], Mode::Hard, LONG)
        .await
        .expect("embedded");
    for number in 0..200 {
        ask(&cache, get(&format!("/{number}"))).await;
    }
    let (evicted, expired) = gone();
    assert!(evicted >= 100, "{evicted}");
    assert_eq!(expired, 1);
}

/// Polls once.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

const MINUTE: &[(&str, &str)] = &[("cache-control", "max-age=60")];
