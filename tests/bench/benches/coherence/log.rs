//! The questions that a hit asks the log, with a table as full as it gets.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion};
use tower_keep_bench::Load;
use tower_keep_store::{Mode, Target};
use tower_keep_test_support::RedisServer;

pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    let server = RedisServer::start();
    let store = load.block_on(crate::values::store_on(&server));
    let log = store.log();
    let full: Vec<_> = (0..TABLE).map(|number| tag("other", number)).collect();
    load.block_on(async {
        for some in full.chunks(1024) {
            let done = log.append(some, Mode::Hard, PATIENCE).await;
            done.expect("a server that answers");
        }
    });
    let (stamp, now) = (log.stamp(), tokio::time::Instant::now());
    let ours: Vec<_> = (0..32).map(|number| tag("ours", number)).collect();
    let mut measure = |name: &str, ask: &dyn Fn()| {
        criterion.benchmark_group("log").bench_function(
            BenchmarkId::new(name, load.tasks()),
            |bencher| {
                bencher.iter(ask);
            },
        );
    };
    measure("generation", &|| {
        black_box(log.generation());
    });
    measure("is-current", &|| {
        black_box(log.is_current_at(now));
    });
    measure("verdict-of-1", &|| {
        black_box(log.verdict(stamp, &ours[..1]));
    });
    measure("verdict-of-32", &|| {
        black_box(log.verdict(stamp, &ours));
    });
}

fn tag(kind: &str, number: u32) -> Target {
    Target::new(kind, &number.to_be_bytes())
}

const TABLE: u32 = 60_000;
const PATIENCE: Duration = Duration::from_secs(10);
