//! Counting allocations. Not in the library: whoever counts them has another allocator.

#![allow(dead_code, reason = "each test program uses some of it")]

use bytes::Bytes;
use http::Response;
use http_body::Body;
use tower::Service;
use tower_keep_bench::{Request, exchange, now};

/// Those of one request, its answer read to the end. Making the request is not counted.
pub(crate) fn allocations<S, B>(service: S, request: &Request) -> u64
where
    S: Service<Request, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    allocations_after(|| {}, service, request)
}

/// The same, each time after something that is not counted either.
pub(crate) fn allocations_after<S, B>(before: impl Fn(), mut service: S, request: &Request) -> u64
where
    S: Service<Request, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    // What is asked for may be remembered, and be known to be asked for again the second time.
    let [_first, _second, third, fourth] = [(); 4].map(|()| {
        let request = request.clone();
        before();
        let exchanging = || {
            now(exchange(&mut service, request));
        };
        allocation_counter::measure(exchanging).count_total
    });
    assert_eq!(third, fourth, "the same request costs the same");
    fourth
}
