//! What a request costs in allocations: the same on every machine, so a bound can be a test.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::Body;
use tokio::runtime::Builder;
use tower::{Layer, Service};
use tower_keep_bench::{Bare, Request, exchange, get, head, now, options, revalidating};
use tower_keep_cache::{Cache, CacheLayer};
use tower_keep_store::{Clock, Store, Timestamp};

#[test]
fn no_request_allocates_more_than_its_bound() {
    const SAME: Duration = Duration::ZERO;
    const NEXT: Duration = Duration::from_secs(1);
    // Over the bare handler: what is allowed is where it stands, so that it never gets worse.
    for (name, request, passing, allowed, target) in [
        ("first-level hit", get(PATH), SAME, 1, 2),
        ("hit in another second", get(PATH), NEXT, 9, 2),
        ("not modified", revalidating(PATH), SAME, 2, 2),
        ("HEAD", head(PATH), SAME, 1, 2),
        ("bypass (OPTIONS)", options(PATH), SAME, 0, 1),
    ] {
        let (cached, clock) = cached();
        let bare = allocations(Bare::new(), &request, || {});
        let through = allocations(cached, &request, || clock.advance(passing));
        let target_met = if through <= bare + target {
            "met"
        } else {
            "missed"
        };
        println!("{name}: {bare} bare, {through} through the layer, target {target_met}");
        assert!(
            through <= bare + allowed,
            "{name}: {through} allocations, {bare} + {allowed} allowed"
        );
    }
}

/// A service that has the answer in its first level, and the clock by which it ages.
fn cached() -> (Cache<Bare>, Clock) {
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::builder().clock(clock.clone()).memory();
    let cached = CacheLayer::new(store).layer(Bare::new());
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_time().build().expect("a runtime");
    runtime.block_on(exchange(&mut cached.clone(), get(PATH)));
    (cached, clock)
}

/// Those of one request, its answer read to the end. Making the request is not counted.
fn allocations<S, B>(mut service: S, request: &Request, before: impl Fn()) -> u64
where
    S: Service<Request, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    // An entry remembers its fields when it is asked for the second time.
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

const PATH: &str = "/items/7";
