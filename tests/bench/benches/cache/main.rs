//! The cache's services, called in process, each beside what it is measured against.

mod bypass;
mod first_byte;
mod first_level;
mod invalidation;
mod lookup;
mod miss;
mod object;
mod second_level;

use tower::Layer;
use tower_keep_bench::{
    Bare, Load, criterion, figures,
    report::{
        self, Row,
        Target::{self, Over, Throughput},
        alone, row,
    },
};
use tower_keep_cache::{Cache, CacheLayer};
use tower_keep_store::Store;

fn main() {
    let figures = figures(env!("CARGO_TARGET_TMPDIR"));
    let mut criterion = criterion(&figures);
    for load in [Load::alone(), Load::crowd()] {
        first_level::run(&mut criterion, &load);
        bypass::run(&mut criterion, &load);
        miss::run(&mut criterion, &load);
        object::run(&mut criterion, &load);
        second_level::run(&mut criterion, &load);
        invalidation::run(&mut criterion, &load);
        lookup::run(&mut criterion, &load);
    }
    first_byte::run(&mut criterion, &Load::alone());
    criterion.final_summary();
    report::print(&figures, &ROWS);
}

/// A cache in this process, in front of the bare handler.
fn in_memory() -> Cache<Bare> {
    CacheLayer::new(Store::memory()).layer(Bare::new())
}

const ROWS: [Row; 15] = [
    row("get/first-level-hit", "get/bare", Over(2_000.0)),
    row("get/hit-in-another-second", "get/bare", Over(2_000.0)),
    row("get/not-modified", "get/bare", Over(2_000.0)),
    row("get/head", "get/bare", Over(2_000.0)),
    row("get/variant-hit", "get/bare", Target::None),
    row(
        "get/hit-while-invalidating",
        "get/first-level-hit",
        Target::None,
    ),
    row("options/bypass", "options/bare", Over(200.0)),
    row("post/change", "post/bare", Target::None),
    row("miss/stored", "miss/bare", Target::None),
    row(
        "first-byte/streamed-miss",
        "first-byte/bare",
        Over(5_000_000.0),
    ),
    row(
        "second-level/hit",
        "second-level/bare-get",
        Throughput(0.85),
    ),
    alone("object/hit", Target::None),
    alone("invalidate/memory", Target::None),
    row("invalidate/redis", "second-level/bare-get", Target::None),
    row("lookup/quick_cache", "lookup/moka", Throughput(1.0)),
];
