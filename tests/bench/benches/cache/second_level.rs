//! Answers out of Redis, against one bare `GET`.

use criterion::Criterion;
use tower_keep_bench::{Load, SecondLevel, measure};

pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    let redis = load.block_on(SecondLevel::start(load.tasks()));
    measure(
        criterion,
        ("second-level", "bare-get"),
        load,
        &redis.bare,
        |task| redis.request(task),
    );
    measure(
        criterion,
        ("second-level", "hit"),
        load,
        &redis.cached,
        |task| redis.request(task),
    );
}
