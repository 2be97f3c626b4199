//! What a request costs in allocations: the same on every machine, so a bound can be a test.

mod common;

use std::time::Duration;

use common::{allocations, allocations_after};

use tokio::runtime::Builder;
use tower::Layer;
use tower_keep_bench::{Bare, exchange, get, head, options, revalidating};
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
        let bare = allocations(Bare::new(), &request);
        let through = allocations_after(|| clock.advance(passing), cached, &request);
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

const PATH: &str = "/items/7";
