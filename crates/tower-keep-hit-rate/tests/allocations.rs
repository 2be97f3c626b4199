//! What a request costs in allocations: the same on every machine, so a bound can be a test.

mod common;

use futures_util::FutureExt;
use http::Request;
use tower::Layer;
use tower_keep_hit_rate::HitRateLayer;
use tower_keep_store::{Outcome, OutcomeCell};

use crate::common::{MICRO, Scripted, ask, by_segment, place, told};

#[test]
fn counting_allocates_nothing_and_the_cell_no_more_than_its_place() {
    let (store, clock) = place();
    let builder = by_segment(store).allow_key_names();
    let (layer, handle) = builder.build().expect("makes sense");
    let mut bare = Scripted(clock);
    let mut service = layer.layer(bare.clone());
    let fresh = || told("/jobs/1", Outcome::Hit, MICRO);
    let with_cell = || {
        let mut request = fresh();
        request.extensions_mut().insert(OutcomeCell::default());
        request
    };
    // The scripted service speaks only where there is a cell.
    let bare = allocations(
        |request| drop(ask(&mut bare, request).now_or_never()),
        with_cell,
    );
    for (name, request, allowed) in [
        (
            "a cell of a layer further out",
            &with_cell as &dyn Fn() -> Request<String>,
            0,
        ),
        ("a cell among other extensions", &fresh, 1),
    ] {
        let through = allocations(
            |request| drop(ask(&mut service, request).now_or_never()),
            request,
        );
        println!("{name}: {bare} bare, {through} through the layer");
        assert!(
            through <= bare + allowed,
            "{name}: {through}, {bare} + {allowed} allowed"
        );
    }
    // Whoever reads allocates, but not for requests.
    drop((handle.snapshot(), handle.prometheus()));
    handle.record_metrics();
    let through = allocations(
        |request| drop(ask(&mut service, request).now_or_never()),
        with_cell,
    );
    assert_eq!(through, bare);
}

#[test]
fn a_request_without_extensions_costs_the_cell_and_its_map() {
    let (store, clock) = place();
    let (layer, _handle) = HitRateLayer::pair(store);
    let mut service = layer.layer(Scripted(clock.clone()));
    let mut bare = Scripted(clock);
    let request = || common::get("/jobs/1");
    let bare = allocations(
        |request| drop(ask(&mut bare, request).now_or_never()),
        request,
    );
    let through = allocations(
        |request| drop(ask(&mut service, request).now_or_never()),
        request,
    );
    println!("no extensions: {bare} bare, {through} through the layer");
    assert!(through <= bare + 3);
}

/// Those of one request of a class that is known. Making the request is not counted.
fn allocations(
    mut exchange: impl FnMut(Request<String>),
    request: impl Fn() -> Request<String>,
) -> u64 {
    let [_first, second, third] = [(); 3].map(|()| {
        let request = request();
        allocation_counter::measure(|| exchange(request)).count_total
    });
    assert_eq!(second, third, "the same request costs the same");
    third
}
