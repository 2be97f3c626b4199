//! Hits of values: with a log of other processes and without, with one tag and with many, among few and
//! among a million.

use std::{convert::Infallible, hint::black_box, sync::Arc, time::Duration};

use criterion::{BenchmarkId, Criterion};
use tower_keep_bench::Load;
use tower_keep_cache::{CacheLayer, Class, Classes, ObjectCache, Tag};
use tower_keep_store::Store;
use tower_keep_test_support::{RedisServer, eventually};

pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    let server = RedisServer::start();
    let shared = load.block_on(store_on(&server));
    let tags = tags(32);
    let one = &tags[..1];
    let without = Arc::new(values(Store::memory(), Class::first_level, true));
    let with = Arc::new(values(shared.clone(), Class::store, false));
    for (name, values, tags) in [
        ("without-log", &without, one),
        ("with-log", &with, one),
        ("tags-1", &with, one),
        ("tags-32", &with, &tags[..]),
    ] {
        let key = tags.len() as u64;
        load.block_on(fill(values, key..key + 1, tags));
        hits(criterion, load, ("first", name), values, tags, move |_| key);
    }
    for many in [1000, 10_000, 1_000_000] {
        let values = Arc::new(values(shared.clone(), Class::store, false));
        load.block_on(fill(&values, 0..many, one));
        assert_eq!(values.stats().entries, many, "all are there");
        hits(
            criterion,
            load,
            ("first", &format!("keys-{many}")),
            &values,
            one,
            move |call| {
                // All over the place, as those who ask are.
                call.wrapping_mul(0x9E37_79B9_7F4A_7C15) % many
            },
        );
        hits(
            criterion,
            load,
            ("first", &format!("one-of-{many}")),
            &values,
            one,
            |_| 7,
        );
    }
    let second = Arc::new(values(shared, Class::first_level, false));
    for (name, tags, key) in [("tags-1", one, 1), ("tags-32", &tags[..], 32)] {
        load.block_on(fill(&second, key..key + 1, tags));
        hits(
            criterion,
            load,
            ("second", name),
            &second,
            tags,
            move |_| key,
        );
    }
}

pub(crate) type Values = ObjectCache<u64>;

/// A cache of values whose class is as `part` says; its first level holds a million.
pub(crate) fn values(store: Store, part: impl Fn(Class, bool) -> Class, on: bool) -> Values {
    let class = part(Class::fresh_for(Duration::from_secs(86_400)), on);
    let layer = CacheLayer::builder(store)
        .classes(Classes::new().class("values", class))
        .first_level_bytes(2 << 30)
        .build()
        .expect("options that go together");
    layer.handle().objects("values").expect("a class")
}

pub(crate) async fn store_on(server: &RedisServer) -> Store {
    let store = Store::builder().deadline(PATIENCE).connect(&server.url());
    let store = store.expect("a good URL");
    eventually(PATIENCE, async || store.log().is_current()).await;
    store
}

pub(crate) fn tags(many: u32) -> Vec<Tag> {
    (0..many).map(|number| Tag::of("tag", number)).collect()
}

pub(crate) async fn fill(values: &Values, keys: std::ops::Range<u64>, tags: &[Tag]) {
    for key in keys {
        hit(values, key, tags).await;
    }
}

pub(crate) async fn hit(values: &Values, key: u64, tags: &[Tag]) {
    let loading = async || Ok::<_, Infallible>(key);
    let value = values.get_or_load(("item", key), tags, loading).await;
    assert_eq!(*black_box(value.expect("a load that succeeds")), key);
}

/// One hit after the other, of the keys that `key` names.
pub(crate) fn hits(
    criterion: &mut Criterion,
    load: &Load,
    (group, name): (&str, &str),
    values: &Arc<Values>,
    tags: &[Tag],
    key: impl Fn(u64) -> u64 + Copy + Send + 'static,
) {
    criterion.benchmark_group(group).bench_function(
        BenchmarkId::new(name, load.tasks()),
        |bencher| {
            bencher.iter_custom(|times| {
                load.time(times, |_, share| {
                    let (values, tags) = (values.clone(), tags.to_vec());
                    async move {
                        for call in 0..share {
                            hit(&values, key(call), &tags).await;
                        }
                    }
                })
            });
        },
    );
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
