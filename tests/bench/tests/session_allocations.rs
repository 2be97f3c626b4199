//! What a session costs in allocations: the same on every machine, so a bound can be a test.

mod common;

use common::allocations;
use tokio::runtime::Builder;
use tower::Layer;
use tower_keep_bench::{Bare, Reads, SharedSessions, exchange, get, now, signed_in, with_cookie};
use tower_keep_session::SessionLayer;
use tower_keep_store::Store;

#[test]
fn no_request_with_a_session_in_memory_allocates_more_than_its_bound() {
    let layer = SessionLayer::new(Store::memory());
    let known = with_cookie(&now(signed_in(&layer, None)));
    let nobody = get("/items/7");
    let untouched = layer.layer(Bare::new());
    let read = layer.layer(Reads::new());
    let bare = allocations(Bare::new(), &known);
    for (name, counted, allowed) in [
        (
            "untouched, no cookie",
            allocations(untouched.clone(), &nobody),
            UNTOUCHED,
        ),
        ("untouched", allocations(untouched, &known), UNTOUCHED),
        ("read", allocations(read, &known), READ),
    ] {
        println!("{name}: {bare} bare, {counted} through the layer");
        assert!(
            counted <= bare + allowed,
            "{name}: {counted} allocations, {bare} + {allowed} allowed"
        );
    }
}

/// All on one thread, the connection's work too.
#[test]
fn a_read_on_redis_allocates_little_more_than_the_bare_commands() {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let sessions = runtime.block_on(SharedSessions::start(1));
    let request = with_cookie(&sessions.cookies[0]);
    let count = |service: &dyn Fn() -> u64| (service(), service()).1;
    let bare = count(&|| {
        let mut service = sessions.bare.clone();
        of_each(|| {
            runtime.block_on(exchange(&mut service, request.clone()));
        })
    });
    let read = count(&|| {
        let mut service = sessions.layer.layer(Reads::new());
        of_each(|| {
            runtime.block_on(exchange(&mut service, request.clone()));
        })
    });
    println!("on Redis: {bare} with bare commands, {read} through the layer");
    assert!(
        read <= bare + READ_ON_REDIS,
        "{read} allocations, {bare} + {READ_ON_REDIS} allowed"
    );
}

/// Those of one of many, so that what the store does by itself now and then counts for nothing.
fn of_each(mut exchanging: impl FnMut()) -> u64 {
    let all = allocation_counter::measure(|| (0..MANY).for_each(|_| exchanging()));
    (all.count_total + MANY / 2) / MANY
}

const UNTOUCHED: u64 = 6;
const READ: u64 = 15;
const READ_ON_REDIS: u64 = 9;
const MANY: u64 = 500;
