//! What it costs to be counted: trivial services, called in process, with and without the layer around them.

mod exporters;
mod pairs;
mod services;

use std::{borrow::Cow, env};

use exporters::Exporters;
use pairs::{measure, print_head};
use services::{Gives, Tells};
use tower::Layer;
use tower_keep_bench::{Bare, Request, from_address, get};
use tower_keep_hit_rate::{HitRate, HitRateHandle, HitRateLayer};
use tower_keep_store::Store;

fn main() {
    let filter = env::args().skip(1).find(|it| !it.starts_with('-'));
    let is_asked = |name: &str| filter.as_ref().is_none_or(|it| name.contains(it));
    print_head();
    for (name, threads, is_read, requests) in [
        ("one key", 1, false, vec![known(7)]),
        ("one key, read 10 times a second", 1, true, vec![known(7)]),
        ("many keys", 1, false, many()),
        ("many keys, read 10 times a second", 1, true, many()),
        ("one key, two threads", 2, false, vec![known(7)]),
        ("many keys, two threads, read", 2, true, many()),
        (
            "one key, labelled by a closure, read",
            1,
            true,
            vec![known(7)],
        ),
        ("no extensions", 1, false, vec![get("/items/7")]),
    ] {
        if is_asked(name) {
            let (counted, handle) = counted(name.contains("labelled"));
            let _reading = is_read.then(|| Exporters::of(handle));
            let times = (threads, ROUNDS * threads);
            let pair = measure(&Tells(Bare::new()), &counted, &requests, times);
            pair.print(name, (threads == 1).then_some(MOST));
        }
    }
    let name = "an empty cell is given";
    if is_asked(name) {
        let (counted, _handle) = counted(false);
        let given = (Gives(Tells(Bare::new())), Gives(counted));
        let pair = measure(&given.0, &given.1, &[known(7)], (1, ROUNDS));
        pair.print(name, Some(MOST));
    }
}

fn counted(is_labelled: bool) -> (HitRate<Tells>, HitRateHandle) {
    let mut builder = HitRateLayer::builder(Store::memory());
    if is_labelled {
        builder = builder.label(|_| Some(Cow::Borrowed("items")));
    }
    let (layer, handle) = builder.build().expect("makes sense");
    (layer.layer(Tells(Bare::new())), handle)
}

/// As a server gives them out that tells who is at the other end: there is a map to put the cell in.
fn known(number: usize) -> Request {
    let mut request = from_address(([192, 0, 2, 7], 49152).into());
    let uri = format!("/items/{number}");
    *request.uri_mut() = uri.parse().expect("a path");
    request
}

/// Of a thousand keys, the k-th as often as 1/k, in no order.
fn many() -> Vec<Request> {
    let keys = |number: usize| {
        let chance = (number * 2_654_435_761 % REQUESTS) as f64 / REQUESTS as f64;
        KEYS.powf(chance) as usize
    };
    (0..REQUESTS).map(|number| known(keys(number))).collect()
}

const KEYS: f64 = 1000.0;
const REQUESTS: usize = 4096;
const ROUNDS: usize = 1500;

/// Nanoseconds.
const MOST: f64 = 250.0;
