//! What a request costs in allocations: the same on every machine, so a bound can be a test.

use bytes::Bytes;
use http::Response;
use http_body::Body;
use tokio::runtime::Builder;
use tower::{Layer, Service};
use tower_keep_bench::{Bare, Request, exchange, get, grpc, head, now, options, revalidating};
use tower_keep_cache::{Cache, CacheLayer};
use tower_keep_store::Store;

/// How many allocations a request costs more than the bare handler.
struct Bound {
    name: &'static str,
    request: Request,
    /// What it must not exceed: where it stands today, so that it never gets worse.
    most: u64,
    /// What it is to be.
    target: u64,
}

#[test]
fn no_request_allocates_more_than_its_bound() {
    let path = "/items/7";
    let bounds = [
        ("first-level hit", get(path), 7, 2),
        ("not modified", revalidating(path), 7, 2),
        ("HEAD", head(path), 9, 2),
        ("bypass (OPTIONS)", options(path), 4, 1),
        ("bypass (gRPC)", grpc(path), 4, 1),
    ]
    .map(|(name, request, most, target)| Bound {
        name,
        request,
        most,
        target,
    });
    for bound in bounds {
        let bare = allocations(Bare::new(), &bound.request);
        let through = allocations(cached(), &bound.request);
        let Bound {
            name, most, target, ..
        } = bound;
        println!("{name}: {bare} bare, {through} through the layer; target {bare} + {target}");
        assert!(
            through <= bare + most,
            "{name}: {through} allocations, at most {bare} + {most} allowed"
        );
    }
}

/// A service that has the answer in its first level.
fn cached() -> Cache<Bare> {
    let cached = CacheLayer::new(Store::memory()).layer(Bare::new());
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_time().build().expect("a runtime");
    runtime.block_on(exchange(&mut cached.clone(), get("/items/7")));
    cached
}

/// Those of one request, its answer read to the end. Making the request is not counted.
fn allocations<S, B>(mut service: S, request: &Request) -> u64
where
    S: Service<Request, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let [_first, second, third] = [(); 3].map(|()| {
        let request = request.clone();
        let exchanging = || {
            now(exchange(&mut service, request));
        };
        allocation_counter::measure(exchanging).count_total
    });
    assert_eq!(second, third, "the same request costs the same");
    third
}
