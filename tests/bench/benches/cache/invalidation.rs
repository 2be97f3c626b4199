//! One tag invalidated, in memory and on Redis.

use criterion::{BenchmarkId, Criterion};
use tower_keep_bench::{Load, SecondLevel};
use tower_keep_cache::{CacheHandle, CacheLayer, Tag};
use tower_keep_store::{Mode, Store};

pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    let memory = CacheLayer::new(Store::memory());
    measure(criterion, "memory", load, &memory.handle());
    let redis = load.block_on(SecondLevel::start(1));
    measure(criterion, "redis", load, &redis.layer.handle());
}

fn measure(criterion: &mut Criterion, name: &str, load: &Load, handle: &CacheHandle) {
    criterion.benchmark_group("invalidate").bench_function(
        BenchmarkId::new(name, load.tasks()),
        |bencher| {
            bencher.iter_custom(|times| {
                load.time(times, |task, share| {
                    let handle = handle.clone();
                    async move {
                        for _ in 0..share {
                            let tags = [Tag::of("item", task)];
                            let done = handle.invalidate(tags, Mode::Hard).await;
                            done.expect("a store that answers");
                        }
                    }
                })
            });
        },
    );
}
