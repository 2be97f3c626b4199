//! One table at the end: every median beside its baseline's, and the target beside both.

#![allow(clippy::print_stdout, reason = "a table is what it is for")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
};

/// What is measured, by the names that criterion knows: `group/function`.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    subject: &'static str,
    baseline: Option<&'static str>,
    target: Target,
}

/// What is asked of it.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// At most this many nanoseconds.
    AtMost(f64),
    /// At most this many nanoseconds over the baseline.
    Over(f64),
    /// At least this part of the baseline's throughput.
    Throughput(f64),
    /// Nothing: the figure is there to be known.
    None,
}

/// A figure beside its baseline's.
#[must_use]
pub const fn row(subject: &'static str, baseline: &'static str, target: Target) -> Row {
    Row {
        subject,
        baseline: Some(baseline),
        target,
    }
}

/// A figure by itself.
#[must_use]
pub const fn alone(subject: &'static str, target: Target) -> Row {
    Row {
        subject,
        baseline: None,
        target,
    }
}

/// Says something about `subject` below the table, in place of what was said of it before.
pub fn note(subject: &'static str, line: String) {
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    notes.insert(subject, line);
}

/// Prints what criterion has measured last, now or in an earlier run.
pub fn print(figures: &Path, rows: &[Row]) {
    println!(
        "\n{:<34} {:>12} {:>12} {:>12} {:>7}  target",
        "name/tasks", "median", "baseline", "difference", "ratio"
    );
    for tasks in [1, 64] {
        for row in rows {
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
    let over = baseline.map_or(0.0, |baseline| median - baseline);
    let ratio = baseline.map_or(1.0, |baseline| baseline / median);
    let verdict = |met| if met { "met" } else { "MISSED" };
    let target = match target {
        Target::AtMost(most) => format!("at most {}: {}", time(most), verdict(median <= most)),
        Target::Over(most) => format!("at most {} over: {}", time(most), verdict(over <= most)),
        Target::Throughput(least) => format!("at least {least}: {}", verdict(ratio >= least)),
        Target::None => String::new(),
    };
    let Some(baseline) = baseline else {
        println!("{name:<34} {:>12} {:>34}  {target}", time(median), "");
        return;
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
