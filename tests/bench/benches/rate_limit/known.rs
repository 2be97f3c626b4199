//! Decided in this process, by what it knows of the server's buckets.

use criterion::{BenchmarkId, Criterion};
use tower::Layer;
use tower_keep_bench::{Bare, Load, SharedLimits, from_merchant, measure, plenty, scarce};
use tower_keep_rate_limit::{RateLimitLayer, Subject};

pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    let redis = load.block_on(SharedLimits::start());
    let layer = redis.layer(scarce("denied"));
    measure_denied(criterion, load, "redis-denied", &layer);
    let builder = redis.builder().policy(plenty("leased"));
    let leased = builder.allow_leases(0.05).build().expect("makes sense");
    let service = leased.layer(Bare::new());
    let request = |_| from_merchant("m-42");
    measure(
        criterion,
        ("limit", "redis-leases"),
        load,
        &service,
        request,
    );
}

/// The whole refusal; and the decision by itself, as it is made for whoever asks by hand.
pub(crate) fn measure_denied(
    criterion: &mut Criterion,
    load: &Load,
    name: &str,
    layer: &RateLimitLayer,
) {
    let (handle, subject) = (layer.handle(), Subject::header("m-42"));
    let taken = load.block_on(handle.take("denied", &subject, 100));
    assert_eq!(taken.expect("a good answer"), 100);
    let service = layer.layer(Bare::new());
    let request = |_| from_merchant("m-42");
    measure(criterion, ("limit", name), load, &service, request);
    let name = BenchmarkId::new(format!("{name}-decision"), load.tasks());
    let mut group = criterion.benchmark_group("limit");
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            load.time(times, |_, share| {
                let (handle, subject) = (handle.clone(), subject.clone());
                async move {
                    for _ in 0..share {
                        let taken = handle.take("denied", &subject, 1).await;
                        taken.expect("a good answer");
                    }
                }
            })
        });
    });
}
