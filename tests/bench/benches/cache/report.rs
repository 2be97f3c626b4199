//! One table at the end: every median beside its baseline's, and the target beside both.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
};

/// What is measured, by the names that criterion knows: `group/function`.
struct Row {
    subject: &'static str,
    baseline: Option<&'static str>,
    target: Target,
}

/// What is asked of it.
#[derive(Clone, Copy)]
enum Target {
    /// At most this many nanoseconds over the baseline.
    Over(f64),
    /// At least this part of the baseline's throughput.
    Throughput(f64),
    /// Nothing: the figure is there to be known.
    None,
}

use Target::{Over, Throughput};

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
    Row {
        subject: "object/hit",
        baseline: None,
        target: Target::None,
    },
    Row {
        subject: "invalidate/memory",
        baseline: None,
        target: Target::None,
    },
    row("invalidate/redis", "second-level/bare-get", Target::None),
    row("lookup/quick_cache", "lookup/moka", Throughput(1.0)),
];

const fn row(subject: &'static str, baseline: &'static str, target: Target) -> Row {
    Row {
        subject,
        baseline: Some(baseline),
        target,
    }
}

/// Says something about `subject` below the table, in place of what was said of it before.
pub(crate) fn note(subject: &'static str, line: String) {
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    notes.insert(subject, line);
}

/// Prints what criterion has measured last, now or in an earlier run.
pub(crate) fn print(figures: &Path) {
    println!(
        "\n{:<34} {:>12} {:>12} {:>12} {:>7}  target",
        "name/tasks", "median", "baseline", "difference", "ratio"
    );
    for tasks in [1, 64] {
        for row in &ROWS {
            if let Some(median) = median(figures, row.subject, tasks) {
                let baseline = row
                    .baseline
                    .and_then(|name| self::median(figures, name, tasks));
                print_row(
                    &format!("{}/{tasks}", row.subject),
                    median,
                    baseline,
                    row.target,
                );
            }
        }
    }
    println!("\nTimes of one call; of 64 tasks, the time all took divided by their calls.");
    println!("The ratio is the throughput beside the baseline's.");
    let notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    for (subject, line) in notes.iter() {
        println!("{subject}: {line}");
    }
}

fn print_row(name: &str, median: f64, baseline: Option<f64>, target: Target) {
    let Some(baseline) = baseline else {
        println!("{name:<34} {:>12}", time(median));
        return;
    };
    let (over, ratio) = (median - baseline, baseline / median);
    let verdict = |met| if met { "met" } else { "MISSED" };
    let target = match target {
        Over(most) => format!("at most {} over: {}", time(most), verdict(over <= most)),
        Throughput(least) => format!("at least {least}: {}", verdict(ratio >= least)),
        Target::None => String::new(),
    };
    println!(
        "{name:<34} {:>12} {:>12} {:>12} {ratio:>7.2}  {target}",
        time(median),
        time(baseline),
        time(over)
    );
}

/// In nanoseconds; nothing if it was never measured.
fn median(figures: &Path, name: &str, tasks: usize) -> Option<f64> {
    let file = figures
        .join(name)
        .join(tasks.to_string())
        .join("new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

fn time(nanos: f64) -> String {
    match nanos.abs() {
        size if size < 10_000.0 => format!("{nanos:.0} ns"),
        size if size < 10_000_000.0 => format!("{:.1} µs", nanos / 1e3),
        _ => format!("{:.1} ms", nanos / 1e6),
    }
}

static NOTES: Mutex<BTreeMap<&str, String>> = Mutex::new(BTreeMap::new());
