//! Decided in this process's memory, which has all buckets.

use criterion::Criterion;
use tower::Layer;
use tower_keep_bench::{Bare, Load, from_address, from_merchant, measure, plenty, scarce};
use tower_keep_rate_limit::{Policy, Quota, RateLimit, RateLimitLayer, RateLimitLayerBuilder};
use tower_keep_store::Store;

use crate::known;

pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    let request = |_| from_merchant("m-42");
    measure(criterion, ("limit", "bare"), load, &Bare::new(), request);
    let one = in_memory([plenty("one")]);
    measure(criterion, ("limit", "memory"), load, &one, request);
    let two = in_memory([plenty("one"), plenty("two")]);
    let name = ("limit", "memory-two-policies");
    measure(criterion, name, load, &two, request);
    by_address(criterion, load);
    let layer = layer([scarce("denied")]);
    known::measure_denied(criterion, load, "memory-denied", &layer);
}

fn by_address(criterion: &mut Criterion, load: &Load) {
    let request = |_| from_address(([192, 0, 2, 7], 49152).into());
    let name = ("limit", "bare-with-address");
    measure(criterion, name, load, &Bare::new(), request);
    let quota = Quota::per_second(1_000_000);
    let limited = in_memory([Policy::new("address", quota)]);
    let name = ("limit", "memory-by-address");
    measure(criterion, name, load, &limited, request);
}

fn in_memory<const N: usize>(policies: [Policy; N]) -> RateLimit<Bare> {
    layer(policies).layer(Bare::new())
}

fn layer<const N: usize>(policies: [Policy; N]) -> RateLimitLayer {
    let builder = RateLimitLayer::builder(Store::memory());
    let builder = policies
        .into_iter()
        .fold(builder, RateLimitLayerBuilder::policy);
    builder.build().expect("makes sense")
}
