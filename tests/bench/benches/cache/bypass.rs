//! Requests that are none of the cache's business.

use criterion::Criterion;
use tower_keep_bench::{Bare, Load, grpc, options};

use crate::{in_memory, measure};

pub(crate) fn run(criterion: &mut Criterion, load: &Load) {
    let (bare, cached) = (Bare::new(), in_memory());
    for (group, request) in [("options", options(PATH)), ("grpc", grpc(PATH))] {
        measure(criterion, (group, "bare"), load, &bare, |_| request.clone());
        measure(criterion, (group, "bypass"), load, &cached, |_| {
            request.clone()
        });
    }
}

const PATH: &str = "/items/7";
