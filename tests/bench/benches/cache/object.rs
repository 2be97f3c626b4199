//! Values of application code.

use std::{hint::black_box, io, sync::Arc, time::Duration};

use criterion::{BenchmarkId, Criterion};
use tower_keep_bench::{BODY_BYTES, Load};
use tower_keep_cache::{Class, ObjectCache, Tag};
use tower_keep_store::Store;

pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    let class = Class::fresh_for(Duration::from_secs(3600));
    let objects = ObjectCache::of_class(Store::memory(), "profile", class);
    let objects = Arc::new(objects.expect("a class that makes sense"));
    load.block_on(hit(&objects));
    criterion.benchmark_group("object").bench_function(
        BenchmarkId::new("hit", load.tasks()),
        |bencher| {
            bencher.iter_custom(|times| {
                load.time(times, |_, share| {
                    let objects = objects.clone();
                    async move {
                        for _ in 0..share {
                            hit(&objects).await;
                        }
                    }
                })
            });
        },
    );
}

/// With the tag that a caller would make for it.
async fn hit(objects: &ObjectCache<String>) {
    let loading = async || Ok::<_, io::Error>("x".repeat(BODY_BYTES));
    let value = objects
        .get_or_load(("user", 7), &[Tag::of("user", 7)], loading)
        .await;
    black_box(value.expect("a load that succeeds"));
}
