//! Answers out of the cache.

use tower::Layer;
use tower_keep_bench::{Bare, SecondLevel};
use tower_keep_cache::CacheLayer;
use tower_keep_store::Store;

use crate::{
    asked::Asked,
    client::{CLIENTS, check},
    plan::Plan,
    server::serve,
    threads::Threads,
};

pub(crate) fn run(plan: &Plan, threads: &Threads, bare: Asked) {
    let Threads { servers, clients } = threads;
    let redis = servers.block_on(SecondLevel::start(CLIENTS));
    let cached = CacheLayer::new(Store::memory()).layer(Bare::new());
    let first_level = Asked::of(servers.block_on(serve(cached)));
    let bare_get = Asked::of(servers.block_on(serve(redis.bare)));
    let second_level = Asked::of(servers.block_on(serve(redis.cached)));

    for client in 0..CLIENTS {
        clients.block_on(check(first_level, client, "fwd=uri-miss"));
        clients.block_on(check(first_level, client, ";hit;"));
        clients.block_on(check(second_level, client, ";hit;"));
    }
    for (name, pair, target) in [
        ("cache/first-level hit", [bare, first_level], 0.9),
        ("cache/second-level hit", [bare_get, second_level], 0.85),
    ] {
        plan.compare(threads, name, pair, Some(target));
    }
}
