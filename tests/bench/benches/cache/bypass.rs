//! Requests that are none of the cache's business.

use criterion::Criterion;
use tower_keep_bench::{Bare, Load, measure, options, post};

use crate::in_memory;

pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    let (bare, cached) = (Bare::new(), in_memory());
    for (group, what, request) in [
        ("options", "bypass", options(PATH)),
        // Followed by the invalidation of its URI.
        ("post", "change", post(PATH)),
    ] {
        measure(criterion, (group, "bare"), load, &bare, |_| request.clone());
        measure(criterion, (group, what), load, &cached, |_| request.clone());
    }
}

const PATH: &str = "/items/7";
