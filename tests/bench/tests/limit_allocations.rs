//! What a limit costs in allocations: the same on every machine, so a bound can be a test.

mod common;

use std::time::Duration;

use common::allocations;

use tokio::runtime::Builder;
use tower::Layer;
use tower_keep_bench::{Bare, SharedLimits, from_address, from_merchant, now, plenty};
use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer, Subject};
use tower_keep_store::Store;

#[test]
fn no_limited_request_allocates_more_than_its_bound() {
    let by_merchant = from_merchant("m-42");
    let by_address = from_address(([192, 0, 2, 7], 49152).into());
    let address = Policy::new("address", Quota::per_second(1_000_000));
    let denied = in_memory([hopeless()]);
    now(denied.handle().take("denied", &subject(), 1)).expect("a good answer");
    // Over the bare handler: what is allowed is where it stands, so that it never gets worse.
    for (name, request, layer, allowed) in [
        ("one policy", &by_merchant, in_memory([plenty("one")]), ONE),
        (
            "two policies",
            &by_merchant,
            in_memory([plenty("one"), plenty("two")]),
            TWO,
        ),
        ("by address", &by_address, in_memory([address]), ADDRESS),
        ("denied", &by_merchant, denied, DENIED),
    ] {
        let bare = allocations(Bare::new(), request);
        let through = allocations(layer.layer(Bare::new()), request);
        println!("{name}: {bare} bare, {through} through the layer");
        assert!(
            through <= bare + allowed,
            "{name}: {through} allocations, {bare} + {allowed} allowed"
        );
    }
}

/// The runtime's threads keep the connection alive meanwhile; what they allocate is not counted.
#[test]
fn a_refusal_by_what_is_known_of_redis_allocates_nothing_until_it_is_written() {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (_redis, layer) = runtime.block_on(async {
        let redis = SharedLimits::start().await;
        let layer = redis.layer(hopeless());
        let taken = layer.handle().take("denied", &subject(), 1).await;
        assert_eq!(taken.expect("a good answer"), 1);
        (redis, layer)
    });
    let _inside = runtime.enter();
    let (handle, subject) = (layer.handle(), subject());
    let decision = allocation_counter::measure(|| {
        let taken = now(handle.take("denied", &subject, 1));
        assert_eq!(taken.expect("a good answer"), 0);
    });
    let refusal = allocations(layer.layer(Bare::new()), &from_merchant("m-42"));
    println!(
        "on Redis: the decision {}, the whole refusal {refusal}",
        decision.count_total
    );
    assert_eq!(decision.count_total, 0, "{decision:?}");
    let bare = allocations(Bare::new(), &from_merchant("m-42"));
    assert!(
        refusal <= bare + DENIED,
        "{refusal} allocations, {bare} + {DENIED} allowed"
    );
}

/// One in a day: nothing comes back while this runs.
fn hopeless() -> Policy {
    let quota = Quota::new(1, Duration::from_secs(24 * 3600));
    Policy::new("denied", quota).by(Key::header(tower_keep_bench::MERCHANT))
}

fn subject() -> Subject {
    Subject::header("m-42")
}

fn in_memory<const N: usize>(policies: [Policy; N]) -> RateLimitLayer {
    let mut builder = RateLimitLayer::builder(Store::memory());
    for policy in policies {
        builder = builder.policy(policy);
    }
    builder.build().expect("makes sense")
}

const ONE: u64 = 4;
const TWO: u64 = 5;
const ADDRESS: u64 = 2;
const DENIED: u64 = 6;
