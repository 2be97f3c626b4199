//! Values that are loaded anew while they answer, and loaders that take their time.

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
use tower_keep_cache::{Class, Classes, ObjectCache, Tag};
use tower_keep_store::{Mode, Store, Target};
use tower_keep_test_support::{Gate, eventually};

use self::common::*;

const SHORT: Duration = Duration::from_millis(5);

fn minute() -> Class {
    Class::fresh_for(Duration::from_secs(60))
}

fn cache(store: &Store, class: Class) -> ObjectCache<usize> {
    ObjectCache::of_class(store.clone(), "n", class).expect("a good class")
}

/// A loader that counts: the first load takes 10 s of the clock, the others wait at the gate.
#[derive(Clone)]
struct Loader {
    objects: ObjectCache<usize>,
    place: Arc<Place>,
    gate: Gate,
    loads: Arc<AtomicUsize>,
}

impl Loader {
    fn new(place: &Arc<Place>, class: Class, gate: Gate) -> Self {
        Self {
            objects: cache(&place.store, class),
            place: place.clone(),
            gate,
            loads: Arc::default(),
        }
    }

    /// The same loader in front of another process's cache.
    async fn elsewhere(&self, class: Class) -> Self {
        Self {
            objects: cache(&self.place.other_process().await, class),
            ..self.clone()
        }
    }

    async fn load(self) -> Result<usize, Infallible> {
        let load = self.loads.fetch_add(1, Ordering::SeqCst) + 1;
        match load {
            1 => self.place.clock.advance(Duration::from_secs(10)),
            _ => self.gate.pass().await,
        }
        Ok(load)
    }

    async fn refreshing(&self) -> usize {
        let loader = self.clone();
        let load = || loader.load();
        let tags = [Tag::new("t")];
        let value = self.objects.get_or_refresh("k", &tags, load);
        *value.await.expect("loads")
    }

    async fn waiting(&self) -> usize {
        let load = || self.clone().load();
        let tags = [Tag::new("t")];
        let value = self.objects.get_or_load("k", &tags, load);
        *value.await.expect("loads")
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    fn to_the_end(&self) {
        let nearly = Duration::from_secs(60) - Duration::from_micros(1);
        self.place.clock.advance(nearly);
    }

    async fn is_quiet(&self) {
        eventually(LONG, async || self.objects.stats().in_flight == 0).await;
    }
}

async fn both() -> [Arc<Place>; 2] {
    Place::both().await.map(Arc::new)
}

#[tokio::test(flavor = "multi_thread")]
async fn shortly_before_its_end_one_loads_in_the_background_and_nobody_waits() {
    for (place, class) in [
        (Place::memory(), minute()),
        (Place::redis().await, minute()),
        (Place::redis().await, minute().first_level(false)),
    ] {
        let place = Arc::new(place);
        let loader = Loader::new(&place, class, Gate::closed());
        loader.waiting().await;
        place.written(1).await;
        loader.to_the_end();
        for _ in 0..50 {
            assert_eq!(loader.refreshing().await, 1);
        }
        eventually(LONG, async || loader.gate.waiters() == 1).await;
        for _ in 0..50 {
            assert_eq!(loader.waiting().await, 1, "somebody loads");
        }
        loader.gate.open();
        loader.is_quiet().await;
        place.written(2).await;
        place.clock.advance(Duration::from_secs(1));
        assert_eq!((loader.refreshing().await, loader.loads()), (2, 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loader_that_is_bound_to_its_caller_makes_one_caller_wait() {
    let place = Arc::new(Place::memory());
    let loader = Loader::new(&place, minute(), Gate::closed());
    loader.waiting().await;
    loader.to_the_end();
    let refreshing = tokio::spawn({
        let loader = loader.clone();
        async move { loader.waiting().await }
    });
    eventually(LONG, async || loader.gate.waiters() == 1).await;
    for _ in 0..50 {
        assert_eq!(loader.waiting().await, 1);
    }
    loader.gate.open();
    assert_eq!(refreshing.await.expect("no panic"), 2);
    assert_eq!((loader.waiting().await, loader.loads()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_load_that_fails_leaves_the_value_to_its_time_and_absence_does_not() {
    let place = Arc::new(Place::memory());
    let loader = Loader::new(&place, minute(), Gate::opened());
    loader.waiting().await;
    loader.to_the_end();
    let failed = || async { Err::<usize, _>("down") };
    assert_eq!(
        loader.objects.get_or_load("k", &[], failed).await,
        Ok(Arc::new(1))
    );
    assert_eq!(loader.waiting().await, 1);
    assert_eq!(loader.loads(), 1, "it is left alone for a second");

    let loader = Loader::new(&place, minute(), Gate::opened());
    loader.waiting().await;
    loader.to_the_end();
    for _ in 0..2 {
        let absent = || async { Ok::<_, Infallible>(None) };
        assert_eq!(
            loader.objects.find_or_load("k", &[], absent).await,
            Ok(None)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_has_loaded_is_taken_from_the_store() {
    let place = Arc::new(Place::redis().await);
    let here = Loader::new(&place, minute(), Gate::opened());
    let there = here.elsewhere(minute()).await;
    here.waiting().await;
    place.written(1).await;
    assert_eq!(there.waiting().await, 1);
    here.to_the_end();
    assert_eq!(here.refreshing().await, 1);
    place.written(2).await;
    assert_eq!(there.refreshing().await, 1);
    there.is_quiet().await;
    assert_eq!((there.refreshing().await, there.loads()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_softly_invalid_is_loaded_in_the_background() {
    for place in both().await {
        let class = minute().stale_while_revalidate(Duration::from_secs(60));
        let loader = Loader::new(&place, class, Gate::closed());
        loader.waiting().await;
        let tag = [Target::from(Tag::new("t"))];
        let soft = place.store.log().append(&tag, Mode::Soft, LONG);
        soft.await.expect("written");
        for _ in 0..50 {
            assert_eq!(loader.refreshing().await, 1);
        }
        eventually(LONG, async || loader.gate.waiters() == 1).await;
        loader.gate.open();
        loader.is_quiet().await;
        assert_eq!((loader.refreshing().await, loader.loads()), (2, 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_soft_timeout_what_is_stale_answers_and_the_load_goes_on() {
    for place in both().await {
        let class = minute().stale_if_error(Duration::from_secs(600));
        let loader = Loader::new(&place, class.soft_timeout(SHORT), Gate::closed());
        loader.waiting().await;
        place.clock.advance(Duration::from_secs(70));
        assert_eq!(loader.refreshing().await, 1);
        assert_eq!(loader.refreshing().await, 1);
        assert_eq!((loader.loads(), loader.gate.waiters()), (2, 1));
        loader.gate.open();
        loader.is_quiet().await;
        assert_eq!((loader.refreshing().await, loader.loads()), (2, 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hard_timeout_ends_a_load_only_where_something_answers_in_its_place() {
    let place = Arc::new(Place::memory());
    let class = minute().stale_if_error(Duration::from_secs(600));
    let loader = Loader::new(&place, class.hard_timeout(SHORT), Gate::closed());
    loader.waiting().await;
    place.clock.advance(Duration::from_secs(70));
    assert_eq!(loader.waiting().await, 1);
    assert_eq!((loader.loads(), loader.gate.waiters()), (2, 0));
    place.clock.advance(Duration::from_secs(600));
    let loading = tokio::spawn({
        let loader = loader.clone();
        async move { loader.waiting().await }
    });
    eventually(LONG, async || loader.gate.waiters() == 1).await;
    loader.gate.open();
    assert_eq!(loading.await.expect("no panic"), 3, "whatever it took");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_refresh_of_what_had_to_make_room_here() {
    let place = Place::redis().await;
    let class = minute().stale_while_revalidate(Duration::from_secs(60));
    let layer = place.layer().classes(Classes::new().class("n", class));
    let layer = layer.first_level_bytes(8 << 20);
    let layer = layer.patience(Duration::from_secs(3600)).build();
    let handle = layer.expect("good options").handle();
    let objects: ObjectCache<String> = handle.objects("n").expect("a class");
    let first = objects.get_or_load("k", &[], async || Ok::<_, Infallible>("1".to_owned()));
    first.await.expect("loads");
    place.written(1).await;
    place.clock.advance(Duration::from_secs(61));
    let gate = Gate::closed();
    let passed = gate.pass();
    let refreshed = objects.get_or_refresh("k", &[], || async {
        passed.await;
        Ok::<_, Infallible>("2".to_owned())
    });
    assert_eq!(*refreshed.await.expect("loads"), "1");
    eventually(LONG, async || gate.waiters() == 1).await;
    for i in 0..200 {
        // What is asked for twice takes the room of what is not asked for again.
        for _ in 0..2 {
            let large = async || Ok::<_, Infallible>("x".repeat(100_000));
            let loaded = objects.get_or_load(format!("{i}"), &[], large);
            loaded.await.expect("loads");
        }
    }
    let asked = objects.get_or_load("k", &[], async || Ok::<_, Infallible>("3".to_owned()));
    let asked = timeout(LONG, asked).await.expect("nobody waits for it");
    assert_eq!(*asked.expect("loads"), "1");
}
