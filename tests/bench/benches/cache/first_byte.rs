//! How long a client waits for the first byte of a stream that is stored while it passes.

use std::{
    cell::Cell,
    convert::Infallible,
    fmt::Debug,
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion};
use http::Response;
use http_body::Body;
use tower::{Layer, Service, service_fn};
use tower_keep_bench::{BODY_BYTES, Load, Request, bare_response, first_frame, get};
use tower_keep_cache::CacheLayer;
use tower_keep_store::Store;
use tower_keep_test_support::{Gate, ScriptedBody};

/// The stream ends only when its first frame has arrived: a layer that waited for the end would wait
/// for ever.
pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    let gate = Gate::closed();
    let streaming = gate.clone();
    let origin = service_fn(move |_: Request| {
        let body = ScriptedBody::frames([chunk()])
            .gate(&streaming)
            .data(chunk());
        async { Ok::<_, Infallible>(bare_response(body)) }
    });
    measure(criterion, "bare", load, &origin, &gate);
    let cached = CacheLayer::new(Store::memory()).layer(origin);
    measure(criterion, "streamed-miss", load, &cached, &gate);
}

fn measure<S, B>(criterion: &mut Criterion, name: &str, load: &Load, service: &S, gate: &Gate)
where
    S: Service<Request, Response = Response<B>> + Clone,
    S::Error: Debug,
    B: Body<Data = Bytes>,
    B::Error: Debug,
{
    let number = Cell::new(0_u64);
    criterion.benchmark_group("first-byte").bench_function(
        BenchmarkId::new(name, load.tasks()),
        |bencher| {
            bencher.iter_custom(|times| {
                load.block_on(async {
                    let mut service = service.clone();
                    let mut waited = Duration::ZERO;
                    for _ in 0..times {
                        number.set(number.get() + 1);
                        let request = get(&format!("/items/{}", number.get()));
                        let start = Instant::now();
                        let rest = first_frame(&mut service, request).await;
                        waited += start.elapsed();
                        gate.let_through(1);
                        read(rest).await;
                    }
                    waited
                })
            });
        },
    );
}

async fn read<B: Body>(mut rest: std::pin::Pin<Box<B>>) {
    while std::future::poll_fn(|cx| rest.as_mut().poll_frame(cx))
        .await
        .is_some()
    {}
}

fn chunk() -> Bytes {
    static CHUNK: [u8; BODY_BYTES] = [b'x'; BODY_BYTES];
    Bytes::from_static(&CHUNK)
}
