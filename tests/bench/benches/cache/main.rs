//! The cache's services, called in process, each beside what it is measured against.

#![allow(clippy::print_stdout, reason = "a table is what it is for")]

mod bypass;
mod first_byte;
mod first_level;
mod invalidation;
mod lookup;
mod miss;
mod object;
mod report;
mod second_level;

use std::{path::PathBuf, time::Duration};

use criterion::{BenchmarkId, Criterion};
use tower::Layer;
use tower_keep_bench::{Bare, Load, Request, exchange};
use tower_keep_cache::{Cache, CacheLayer};
use tower_keep_store::Store;

fn main() {
    let figures = figures();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
        // Medians need no more, and the default costs more time than the measuring.
        .nresamples(5_000)
        .output_directory(&figures)
        .configure_from_args();
    for load in [Load::alone(), Load::crowd()] {
        first_level::run(&mut criterion, &load);
        bypass::run(&mut criterion, &load);
        miss::run(&mut criterion, &load);
        object::run(&mut criterion, &load);
        second_level::run(&mut criterion, &load);
        invalidation::run(&mut criterion, &load);
        lookup::run(&mut criterion, &load);
    }
    first_byte::run(&mut criterion, &Load::alone());
    criterion.final_summary();
    report::print(&figures);
}

/// Where criterion leaves its figures: beside the builds.
fn figures() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("criterion")
}

/// A cache in this process, in front of the bare handler.
fn in_memory() -> Cache<Bare> {
    CacheLayer::new(Store::memory()).layer(Bare::new())
}

/// Measures one and the same request to one service.
fn measure<S, B>(
    criterion: &mut Criterion,
    (group, name): (&str, &str),
    load: &Load,
    service: &S,
    request: impl Fn(usize) -> Request,
) where
    S: tower::Service<Request, Response = http::Response<B>> + Clone + Send + 'static,
    S::Error: std::fmt::Debug,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Send,
    B::Error: std::fmt::Debug,
{
    criterion.benchmark_group(group).bench_function(
        BenchmarkId::new(name, load.tasks()),
        |bencher| {
            bencher.iter_custom(|times| {
                load.time(times, |task, share| {
                    let (mut service, request) = (service.clone(), request(task));
                    async move {
                        for _ in 0..share {
                            exchange(&mut service, request.clone()).await;
                        }
                    }
                })
            });
        },
    );
}
