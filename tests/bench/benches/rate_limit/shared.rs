//! Decided by the server for each request, against one bare `EVALSHA` for each.

use criterion::Criterion;
use tower::Layer;
use tower_keep_bench::{Bare, Load, Request, SharedLimits, from_merchant, measure, plenty};

pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    let redis = load.block_on(SharedLimits::start());
    let trivial = load.block_on(redis.trivial());
    let textbook = load.block_on(redis.textbook());
    let exact = redis.layer(plenty("exact")).layer(Bare::new());
    for (suffix, request) in [("", each as fn(usize) -> Request), ("-hot", all)] {
        let name = format!("trivial{suffix}");
        measure(criterion, (GROUP, &name), load, &trivial, request);
        let name = format!("textbook{suffix}");
        measure(criterion, (GROUP, &name), load, &textbook, request);
        let name = format!("exact{suffix}");
        measure(criterion, (GROUP, &name), load, &exact, request);
    }
    let builder = redis.builder();
    let two = builder.policy(plenty("exact")).policy(plenty("other"));
    let two = two.build().expect("makes sense").layer(Bare::new());
    measure(criterion, (GROUP, "exact-two-policies"), load, &two, each);
}

/// Each task for somebody else.
fn each(task: usize) -> Request {
    from_merchant(&format!("m-{task}"))
}

/// All for the same.
fn all(_: usize) -> Request {
    from_merchant("m-42")
}

const GROUP: &str = "limit-shared";
