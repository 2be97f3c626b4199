//! The rate limits' services, called in process, each beside what it is measured against.

mod embedded;
mod known;
mod shared;

use tower_keep_bench::{
    Load, criterion, figures,
    report::{
        self, Row,
        Target::{self, AtMost, Throughput},
        alone, row,
    },
};

fn main() {
    let figures = figures(env!("CARGO_TARGET_TMPDIR"));
    let mut criterion = criterion(&figures);
    for load in [Load::alone(), Load::crowd()] {
        embedded::run(&mut criterion, &load);
        known::run(&mut criterion, &load);
        shared::run(&mut criterion, &load);
    }
    criterion.final_summary();
    report::print(&figures, &ROWS);
}

const ROWS: [Row; 16] = [
    row("limit/memory", "limit/bare", Target::None),
    row("limit/memory-two-policies", "limit/bare", Target::None),
    row(
        "limit/memory-by-address",
        "limit/bare-with-address",
        Target::None,
    ),
    row("limit/memory-denied", "limit/bare", Target::None),
    alone("limit/memory-denied-decision", AtMost(300.0)),
    row("limit/redis-denied", "limit/bare", Target::None),
    alone("limit/redis-denied-decision", AtMost(300.0)),
    row("limit/redis-leases", "limit/bare", Target::None),
    alone("limit-shared/trivial", Target::None),
    alone("limit-shared/textbook", Target::None),
    row(
        "limit-shared/exact",
        "limit-shared/trivial",
        Throughput(0.85),
    ),
    row("limit-shared/exact", "limit-shared/textbook", Target::None),
    row(
        "limit-shared/exact-hot",
        "limit-shared/trivial-hot",
        Throughput(0.85),
    ),
    row(
        "limit-shared/exact-hot",
        "limit-shared/textbook-hot",
        Target::None,
    ),
    row(
        "limit-shared/exact-two-policies",
        "limit-shared/trivial",
        Target::None,
    ),
    row(
        "limit/redis-leases",
        "limit-shared/trivial-hot",
        Target::None,
    ),
];
