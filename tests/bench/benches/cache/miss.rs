//! Answers that are fetched and stored: another key each time.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion};
use http::Response;
use http_body::Body;
use tower::Service;
use tower_keep_bench::{Bare, Load, Request, exchange, get};

use crate::in_memory;

pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    measure(criterion, "bare", load, &Bare::new());
    measure(criterion, "stored", load, &in_memory());
}

fn measure<S, B>(criterion: &mut Criterion, name: &str, load: &Load, service: &S)
where
    S: Service<Request, Response = Response<B>> + Clone + Send + 'static,
    S::Error: std::fmt::Debug,
    S::Future: Send,
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Debug,
{
    let number = Arc::new(AtomicU64::new(0));
    criterion.benchmark_group("miss").bench_function(
        BenchmarkId::new(name, load.tasks()),
        |bencher| {
            bencher.iter_custom(|times| {
                load.time(times, |_, share| {
                    let (mut service, number) = (service.clone(), number.clone());
                    async move {
                        for _ in 0..share {
                            let number = number.fetch_add(1, Ordering::Relaxed);
                            exchange(&mut service, get(&format!("/items/{number}"))).await;
                        }
                    }
                })
            });
        },
    );
}
