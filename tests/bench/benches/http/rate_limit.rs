//! Requests that are counted, and such as are refused.

use tower::Layer;
use tower_keep_bench::{Bare, SharedLimits, plenty, scarce};
use tower_keep_rate_limit::RateLimitLayer;
use tower_keep_store::Store;

use crate::{asked::Asked, client::check, peers, plan::Plan, server::serve, threads::Threads};

pub(crate) fn run(plan: &Plan, threads: &Threads, bare: Asked) {
    let servers = &threads.servers;
    let redis = servers.block_on(SharedLimits::start());
    let served = |layer: RateLimitLayer| {
        let limited = layer.layer(Bare::new());
        Asked::of(servers.block_on(serve(limited)))
    };
    let in_memory = |policy| {
        let builder = RateLimitLayer::builder(Store::memory()).policy(policy);
        served(builder.build().expect("makes sense"))
    };
    let memory = in_memory(plenty("memory"));
    let memory_denied = in_memory(scarce("denied"));
    let exact = served(redis.layer(plenty("exact")));
    let denied = served(redis.layer(scarce("denied")));
    let leased = redis.builder().policy(plenty("leased")).allow_leases(0.05);
    let leased = served(leased.build().expect("makes sense"));
    let trivial = Asked::of(servers.block_on(async { serve(redis.trivial().await).await }));
    let textbook = Asked::of(servers.block_on(async { serve(redis.textbook().await).await }));

    for limited in [memory, exact, leased] {
        threads
            .clients
            .block_on(check(limited.by_each(), 0, "ratelimit: "));
    }
    let rows = [
        ("memory", [bare.by_each(), memory.by_each()], Some(0.9)),
        (
            "memory, one caller",
            [bare.by_one(), memory.by_one()],
            Some(0.9),
        ),
        (
            "memory, denied",
            [bare.by_one(), memory_denied.refused()],
            Some(0.9),
        ),
        ("exact", [trivial.by_each(), exact.by_each()], Some(0.85)),
        (
            "exact, one caller",
            [trivial.by_one(), exact.by_one()],
            Some(0.85),
        ),
        (
            "exact / textbook",
            [textbook.by_each(), exact.by_each()],
            None,
        ),
        (
            "exact / textbook, one caller",
            [textbook.by_one(), exact.by_one()],
            None,
        ),
        (
            "exact / bare handler",
            [bare.by_each(), exact.by_each()],
            None,
        ),
        ("leases", [bare.by_one(), leased.by_one()], Some(0.9)),
        (
            "leases, each its own",
            [bare.by_each(), leased.by_each()],
            None,
        ),
        ("denied", [bare.by_one(), denied.refused()], Some(0.9)),
        (
            "bare EVALSHA / bare handler",
            [bare.by_each(), trivial.by_each()],
            None,
        ),
    ];
    for (name, pair, target) in rows {
        plan.compare(threads, &format!("rate-limit/{name}"), pair, target);
    }
    peers::run(plan, threads, bare, &redis, [trivial, exact]);
}
