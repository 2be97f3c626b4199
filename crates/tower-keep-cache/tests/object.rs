//! What `ObjectCache` does, on both stores.

mod common;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tower_keep_cache::{CacheKey, Class, ObjectCache, Tag};
use tower_keep_store::{Mode, Store};
use tower_keep_test_support::{Gate, eventually, seed};

use self::common::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Profile {
    name: String,
    score: f64,
}

fn profile(score: f64) -> Profile {
    Profile {
        name: "Ada".to_owned(),
        score,
    }
}

fn hour() -> Class {
    Class::fresh_for(Duration::from_secs(3600))
}

fn cache(store: &Store, class: Class) -> ObjectCache<Profile> {
    ObjectCache::of_class(store.clone(), "profile", class).expect("a good class")
}

async fn load(cache: &ObjectCache<Profile>, score: f64) -> Arc<Profile> {
    let tags = [Tag::of("user", 7)];
    let load = || async { Ok::<_, Infallible>(profile(score)) };
    cache
        .get_or_load(("user", 7), &tags, load)
        .await
        .expect("loads")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_loaded_once_and_shared_until_its_time_is_over() {
    for place in Place::both().await {
        let objects = cache(&place.store, hour());
        let first = load(&objects, 1.0).await;
        let again = load(&objects, 2.0).await;
        assert!(
            Arc::ptr_eq(&first, &again),
            "the first level shares the value"
        );
        place.written(1).await;
        if place.server.is_some() {
            let elsewhere = cache(&place.other_process().await, hour());
            assert_eq!(*load(&elsewhere, 3.0).await, profile(1.0));
        }
        place.clock.advance(Duration::from_secs(3600));
        assert_eq!(load(&objects, 4.0).await.score, 4.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_callers_share_one_load_and_a_dropped_loader_is_replaced() {
    let place = Place::memory();
    let objects = cache(&place.store, hour());
    let gate = Gate::closed();
    let loads = Arc::new(AtomicUsize::new(0));
    let call = || {
        let (objects, gate, loads) = (objects.clone(), gate.clone(), loads.clone());
        tokio::spawn(async move {
            let load = || async {
                loads.fetch_add(1, Ordering::SeqCst);
                gate.pass().await;
                Ok::<_, Infallible>(profile(1.0))
            };
            objects.get_or_load(("user", 7), &[], load).await
        })
    };
    let leader = call();
    eventually(LONG, async || gate.waiters() == 1).await;
    let others: Vec<_> = (0..20).map(|_| call()).collect();
    leader.abort();
    eventually(LONG, async || {
        loads.load(Ordering::SeqCst) == 2 && gate.waiters() == 1
    })
    .await;
    gate.open();
    for other in others {
        assert_eq!(
            *other.await.expect("no panic").expect("loads"),
            profile(1.0)
        );
    }
    assert_eq!(loads.load(Ordering::SeqCst), 2);
    assert_eq!(objects.stats().in_flight, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_absence_are_not_stored_unless_absence_is_the_value() {
    let place = Place::memory();
    let objects = cache(&place.store, hour());
    let failed = objects
        .get_or_load("k", &[], || async { Err::<Profile, _>("no") })
        .await;
    assert_eq!(failed, Err("no"));
    let absent = objects
        .find_or_load("k", &[], || async { Ok::<_, Infallible>(None) })
        .await;
    assert_eq!(absent, Ok(None));
    let found = objects
        .find_or_load("k", &[], || async {
            Ok::<_, Infallible>(Some(profile(1.0)))
        })
        .await;
    assert_eq!(found, Ok(Some(Arc::new(profile(1.0)))));
    let kept: ObjectCache<Option<u8>> =
        ObjectCache::of_class(place.store.clone(), "maybe", hour()).expect("a good class");
    for loaded in [None, Some(1)] {
        let value = kept
            .get_or_load("k", &[], || async { Ok::<_, Infallible>(loaded) })
            .await;
        assert_eq!(value, Ok(Arc::new(None)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalidation_by_key_and_tag_reaches_every_process() {
    for place in Place::both().await {
        let objects = cache(&place.store, hour());
        let elsewhere = cache(&place.other_process().await, hour());
        load(&objects, 1.0).await;
        place.written(1).await;
        load(&elsewhere, 1.0).await;
        objects
            .invalidate(("user", 7), Mode::Hard)
            .await
            .expect("written");
        assert_eq!(load(&objects, 2.0).await.score, 2.0);
        eventually(LONG, async || load(&elsewhere, 3.0).await.score > 1.0).await;
        let tag = tower_keep_store::Target::from(Tag::of("user", 7));
        place
            .store
            .log()
            .append(&[tag], Mode::Hard, LONG)
            .await
            .expect("written");
        assert_eq!(load(&objects, 4.0).await.score, 4.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_began_before_an_invalidation_is_stored_for_nobody() {
    for place in Place::both().await {
        let objects = cache(&place.store, hour());
        let gate = Gate::closed();
        let loading = tokio::spawn({
            let (objects, gate) = (objects.clone(), gate.clone());
            async move {
                let load = || async {
                    gate.pass().await;
                    Ok::<_, Infallible>(profile(1.0))
                };
                objects.get_or_load(("user", 7), &[], load).await
            }
        });
        eventually(LONG, async || gate.waiters() == 1).await;
        objects
            .invalidate(("user", 7), Mode::Hard)
            .await
            .expect("written");
        gate.open();
        assert_eq!(loading.await.expect("no panic").expect("loads").score, 1.0);
        assert_eq!(load(&objects, 2.0).await.score, 2.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn write_through_stores_the_new_value_everywhere() {
    for place in Place::both().await {
        let objects = cache(&place.store, hour());
        let elsewhere = cache(&place.other_process().await, hour());
        load(&objects, 1.0).await;
        place.written(1).await;
        load(&elsewhere, 1.0).await;
        let tags = [Tag::of("user", 7)];
        let change = async { Ok::<_, Infallible>(profile(2.0)) };
        let written = objects
            .write(("user", 7), &tags, change)
            .await
            .expect("changes");
        let written = written.into_told().expect("it stands");
        assert_eq!(written.score, 2.0);
        assert!(
            Arc::ptr_eq(&load(&objects, 9.0).await, &written),
            "nothing was loaded"
        );
        if place.server.is_some() {
            place.written(2).await;
            eventually(LONG, async || load(&elsewhere, 9.0).await.score == 2.0).await;
        }
        let failed = objects
            .write(("user", 7), &tags, async { Err::<Profile, _>("no") })
            .await;
        assert_eq!(failed.expect_err("the change's"), "no");
        assert_eq!(
            load(&objects, 3.0).await.score,
            3.0,
            "a failed change may have changed something"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_neither_stores_what_the_other_replaced() {
    for place in Place::both().await {
        let objects = cache(&place.store, hour());
        let elsewhere = cache(&place.other_process().await, hour());
        let gate = Gate::closed();
        let slow = tokio::spawn({
            let (objects, gate) = (objects.clone(), gate.clone());
            async move {
                let change = async {
                    // Committed, and then held up while the other writer commits and is done.
                    gate.pass().await;
                    Ok::<_, Infallible>(profile(1.0))
                };
                objects.write(("user", 7), &[], change).await
            }
        });
        eventually(LONG, async || gate.waiters() == 1).await;
        let change = async { Ok::<_, Infallible>(profile(2.0)) };
        let Ok(fast) = elsewhere.write(("user", 7), &[], change).await;
        fast.told.expect("it stands");
        gate.open();
        let Ok(slow) = slow.await.expect("no panic");
        slow.told.expect("it stands");
        // The slow one knows that it was not alone; the fast one's value was invalidated after it.
        assert_eq!(load(&objects, 3.0).await.score, 3.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_vanishes_leaves_nothing_stale() {
    let place = Place::memory();
    let objects = cache(&place.store, hour());
    load(&objects, 1.0).await;
    let gate = Gate::closed();
    let writing = tokio::spawn({
        let (objects, gate) = (objects.clone(), gate.clone());
        async move {
            let change = async {
                gate.pass().await;
                Ok::<_, Infallible>(profile(2.0))
            };
            objects.write(("user", 7), &[], change).await
        }
    });
    eventually(LONG, async || gate.waiters() == 1).await;
    writing.abort();
    eventually(LONG, async || load(&objects, 3.0).await.score == 3.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn put_keeps_what_was_read_after_its_fence_only() {
    let place = Place::memory();
    let objects = cache(&place.store, hour());
    let old = objects.fence();
    objects
        .invalidate(("user", 7), Mode::Hard)
        .await
        .expect("embedded");
    objects.put(old, ("user", 7), &[], profile(1.0));
    assert_eq!(load(&objects, 2.0).await.score, 2.0);
    objects.put(objects.fence(), ("user", 8), &[], profile(3.0));
    let found = objects.get_or_load(("user", 8), &[], || async {
        Err::<Profile, _>("not asked")
    });
    assert_eq!(found.await, Ok(Arc::new(profile(3.0))));
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_values_bridge_refreshes_and_errors() {
    let place = Place::memory();
    let class = hour()
        .stale_while_revalidate(Duration::from_secs(60))
        .stale_if_error(Duration::from_secs(600));
    let objects = cache(&place.store, class);
    load(&objects, 1.0).await;
    place.clock.advance(Duration::from_secs(3601));
    let gate = Gate::closed();
    let refreshing = tokio::spawn({
        let (objects, gate) = (objects.clone(), gate.clone());
        async move {
            let load = || async {
                gate.pass().await;
                Ok::<_, Infallible>(profile(2.0))
            };
            objects.get_or_load(("user", 7), &[], load).await
        }
    });
    eventually(LONG, async || gate.waiters() == 1).await;
    assert_eq!(load(&objects, 9.0).await.score, 1.0, "others need not wait");
    gate.open();
    assert_eq!(
        refreshing.await.expect("no panic").expect("loads").score,
        2.0
    );
    place.clock.advance(Duration::from_secs(3600 + 120));
    let bridged = objects
        .get_or_load(("user", 7), &[], || async { Err::<Profile, _>("down") })
        .await;
    assert_eq!(bridged, Ok(Arc::new(profile(2.0))));
    place.clock.advance(Duration::from_secs(2));
    let absent = objects
        .find_or_load(("user", 7), &[], || async { Ok::<_, Infallible>(None) })
        .await;
    assert_eq!(absent, Ok(None), "absence is an answer and no failure");
    place.clock.advance(Duration::from_secs(600));
    let down = objects
        .get_or_load(("user", 7), &[], || async { Err::<Profile, _>("down") })
        .await;
    assert_eq!(down, Err("down"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_another_type_or_size_is_a_miss() {
    let place = Place::redis().await;
    load(&cache(&place.store, hour()), 1.0).await;
    place.written(1).await;
    let numbers: ObjectCache<u64> =
        ObjectCache::of_class(place.other_process().await, "profile", hour())
            .expect("a good class");
    let number = numbers
        .get_or_load(("user", 7), &[], || async { Ok::<_, Infallible>(7) })
        .await;
    assert_eq!(number, Ok(Arc::new(7)));
    let small = cache(&Store::memory(), hour().largest_body(8));
    load(&small, 1.0).await;
    assert_eq!(load(&small, 2.0).await.score, 2.0, "too large to keep");
}

#[test]
fn keys_are_what_they_are_made_of() {
    assert_eq!(CacheKey::from(("a", 1)), CacheKey::new("a").part("1"));
    assert_ne!(CacheKey::from(("a", 1)), CacheKey::new("a1"));
    assert_ne!(CacheKey::new("a").part("bc"), CacheKey::new("ab").part("c"));
}

/// Writers change a "database", readers read through the cache, on two processes. A reader must never
/// see less than what was committed *and reported* before it began, in its own process; and in the
/// other one not beyond the time that a record travels.
#[tokio::test(flavor = "multi_thread")]
async fn random_writers_and_readers_never_see_a_value_from_before_a_reported_change() {
    let seed = seed();
    let place = Place::redis().await;
    let stores = [place.store.clone(), place.other_process().await];
    let database = Arc::new(AtomicUsize::new(0));
    let reported = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let mut tasks = Vec::new();
    for task in 0..8_u64 {
        let objects: ObjectCache<usize> =
            ObjectCache::of_class(stores[task as usize % 2].clone(), "n", hour())
                .expect("a good class");
        let (database, reported) = (database.clone(), reported.clone());
        tasks.push(tokio::spawn(async move {
            let mut random = seed ^ task.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mine = task as usize % 2;
            for _ in 0..300 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                if random.is_multiple_of(8) {
                    let commit = async {
                        let value = database.fetch_add(1, Ordering::SeqCst) + 1;
                        if random.is_multiple_of(3) {
                            tokio::task::yield_now().await;
                        }
                        Ok::<_, Infallible>(value)
                    };
                    let Ok(written) = objects.write("n", &[], commit).await;
                    reported[mine].fetch_max(*written.value, Ordering::SeqCst);
                } else {
                    let floor = reported[mine].load(Ordering::SeqCst);
                    let load = || async {
                        let value = database.load(Ordering::SeqCst);
                        if random.is_multiple_of(5) {
                            tokio::task::yield_now().await;
                        }
                        Ok::<_, Infallible>(value)
                    };
                    let seen = objects.get_or_load("n", &[], load).await.expect("loads");
                    assert!(
                        *seen >= floor,
                        "saw {seen} after {floor} was reported; seed {seed}"
                    );
                }
            }
        }));
    }
    for task in tasks {
        task.await.expect("no stale read");
    }
    // When all is quiet, both processes see the end.
    let end = database.load(Ordering::SeqCst);
    for store in &stores {
        let objects: ObjectCache<usize> =
            ObjectCache::of_class(store.clone(), "n", hour()).expect("a good class");
        eventually(LONG, async || {
            let load = || async { Ok::<_, Infallible>(database.load(Ordering::SeqCst)) };
            *objects.get_or_load("n", &[], load).await.expect("loads") == end
        })
        .await;
    }
}
