//! What every benchmark in process does alike.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use criterion::{BenchmarkId, Criterion};

use crate::{Load, Request, exchange};

/// The measuring, by what was said on the command line.
#[must_use]
pub fn criterion(figures: &Path) -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
        // Medians need no more, and the default costs more time than the measuring.
        .nresamples(5_000)
        .output_directory(figures)
        .configure_from_args()
}

/// Where criterion leaves its figures: beside the builds, whose scratch directory cargo names.
#[must_use]
pub fn figures(scratch: &str) -> PathBuf {
    PathBuf::from(scratch).with_file_name("criterion")
}

/// Measures one and the same request to one service.
pub fn measure<S, B>(
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
