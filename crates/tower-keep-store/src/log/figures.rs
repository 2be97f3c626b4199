//! What the table costs, and what it refuses although nothing invalidated it.
//!
//! `cargo nextest run --config 'profile.dev.package.tower-keep-store.opt-level=3' -p tower-keep-store
//! --run-ignored only --no-capture figures`

use std::{fmt::Write, hint::black_box, time::Instant};

use super::{
    folded::TABLE_CAPACITY,
    record::{Change, Content, Record},
    table::{Stamp, Table, Verdict},
    target::{Mode, Target},
};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Invalidations for as long as entries live, each of one target out of so many.
fn invalidated(count: u64, out_of: u64) -> Table {
    let mut table = Table::new(TABLE_CAPACITY);
    let mut random = Random(1);
    for position in 1..=count.max(1) {
        let target = Random(random.below(out_of)).next();
        let record = Record {
            position,
            epoch: 1,
            previous: table.nonce(),
            nonce: position,
            content: Content {
                changes: vec![Change {
                    target: Target::from_bits(target),
                    mode: Mode::Hard,
                }],
                doubts: Vec::new(),
            },
        };
        table.apply(&record).expect("the next record");
    }
    table
}

/// A target that was never invalidated.
fn other(random: &mut Random) -> Target {
    Target::from_bits(random.next())
}

/// Of entries of any age up to that, with so many targets: the share that is refused, and that would be if
/// all that is forgotten only raised the floor.
fn refused(table: &Table, count: u64, targets: usize) -> [f64; 2] {
    let mut random = Random(2);
    let mut refused = [0_u32; 2];
    for _ in 0..ENTRIES {
        let position = random.below(count.max(1)) + 1;
        let stamp = Stamp { epoch: 1, position };
        let targets: Vec<_> = (0..targets).map(|_| other(&mut random)).collect();
        refused[0] += u32::from(position < table.forgotten().newest());
        refused[1] += u32::from(table.verdict(stamp, &targets) != Verdict::Valid);
    }
    refused.map(|count| 100.0 * f64::from(count) / f64::from(ENTRIES))
}

#[test]
#[ignore = "prints figures; takes long without optimisation"]
#[allow(clippy::print_stdout)]
fn the_table_in_figures() {
    let mut text = String::new();
    let head =
        "invalidations/s  of targets  lifetime  memory    refused with 4 targets: floor  summary";
    writeln!(text, "{head}").expect("a string");
    for (rate, out_of) in [
        (1, u64::MAX),
        (100, u64::MAX),
        (10_000, 100_000),
        (10_000, u64::MAX),
    ] {
        for lifetime in [10, 60, 600, 3600] {
            let count = rate * lifetime;
            let table = invalidated(count, out_of);
            let [floor, summary] = refused(&table, count, 4);
            let megabytes = table.bytes() as f64 / 1e6;
            let out_of = if out_of == u64::MAX {
                "distinct".to_owned()
            } else {
                out_of.to_string()
            };
            let line = format!(
                "{rate:>15} {out_of:>11} {lifetime:>7} s {megabytes:>5.1} MB {floor:>30.2} % {summary:>6.2} %"
            );
            writeln!(text, "{line}").expect("a string");
        }
    }
    let table = invalidated(600_000, u64::MAX);
    for targets in [1, 2, 4, 8, 16, 32] {
        let nanos = verdict_nanos(&table, targets);
        writeln!(text, "a verdict on {targets:>2} targets: {nanos:>5.0} ns").expect("a string");
    }
    println!("{text}");
}

fn verdict_nanos(table: &Table, targets: usize) -> f64 {
    let mut random = Random(3);
    let entries: Vec<Vec<_>> = (0..1000)
        .map(|_| (0..targets).map(|_| other(&mut random)).collect())
        .collect();
    let stamp = table.stamp();
    let began = Instant::now();
    for _ in 0..100 {
        for targets in &entries {
            black_box(table.verdict(black_box(stamp), black_box(targets)));
        }
    }
    began.elapsed().as_nanos() as f64 / 100_000.0
}

const ENTRIES: u32 = 20_000;
