//! What coherence costs: the look at the log, hits among few and many, and what reaches a million entries.

mod log;
mod million;
mod values;

use tower_keep_bench::{
    Load, criterion, figures,
    report::{
        self, Row,
        Target::{self, AtMost, Over, Throughput},
        alone, row,
    },
};

fn main() {
    let figures = figures(env!("CARGO_TARGET_TMPDIR"));
    let mut criterion = criterion(&figures);
    let load = Load::alone();
    log::run(&mut criterion, &load);
    values::run(&mut criterion, &load);
    million::run(&mut criterion, &load);
    criterion.final_summary();
    report::print(&figures, &ROWS);
}

/// `keys-…` are asked for all over the place: what that costs among a million is that none of them is in the
/// processor's caches. `one-of-…` is one and the same.
const ROWS: [Row; 13] = [
    alone("log/generation", Target::None),
    alone("log/is-current", Target::None),
    row("log/verdict-of-1", "log/generation", Target::None),
    row("log/verdict-of-32", "log/verdict-of-1", Target::None),
    row("first/with-log", "first/without-log", Over(100.0)),
    row("first/tags-32", "first/tags-1", Throughput(0.9)),
    row("first/keys-10000", "first/keys-1000", Target::None),
    row("first/keys-1000000", "first/keys-1000", Target::None),
    row("first/one-of-1000000", "first/one-of-1000", Throughput(0.9)),
    row("second/tags-32", "second/tags-1", Throughput(0.9)),
    row("second/of-1000000", "second/of-1000", Throughput(0.9)),
    alone("invalidate/tag-of-1", AtMost(5e6)),
    row(
        "invalidate/tag-of-1000000",
        "invalidate/tag-of-1",
        AtMost(5e6),
    ),
];
