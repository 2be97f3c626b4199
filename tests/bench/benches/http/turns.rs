//! Two that are compared take turns.

use std::time::Duration;

use crate::{
    asked::Asked,
    client::{CLIENTS, requests_in},
    plan::Plan,
    threads::Threads,
};

/// Turns of two that are compared: baseline, subject.
pub(crate) struct Turns(Vec<[Turn; 2]>);

/// What one of them did in its time.
struct Turn {
    /// Requests per second.
    rate: f64,
    /// Seconds of the server's thread for each request. Less disturbed by what else the machine does.
    cpu: f64,
}

impl Turns {
    pub(crate) fn take(plan: &Plan, threads: &Threads, [baseline, subject]: [Asked; 2]) -> Self {
        let turn = |asked| Turn::take(threads, asked);
        turn(baseline);
        turn(subject);
        let pairs = (0..plan.turns).map(|number| {
            // Who goes first changes too: a drift would favour one of them.
            if number % 2 == 0 {
                let first = turn(baseline);
                [first, turn(subject)]
            } else {
                let first = turn(subject);
                [turn(baseline), first]
            }
        });
        Self(pairs.collect())
    }

    pub(crate) fn print(&self, name: &str, target: Option<f64>) {
        let sorted = |value: fn(&[Turn; 2]) -> f64| {
            let mut values: Vec<_> = self.0.iter().map(value).collect();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let turns = self.0.len();
        let median = |value| sorted(value)[turns / 2];
        let ratio = median(|[baseline, subject]| subject.rate / baseline.rate);
        let target = target.map_or(String::new(), |least| {
            let verdict = if ratio >= least { "met" } else { "MISSED" };
            format!("at least {least}: {verdict}")
        });
        let spread = sorted(|[baseline, subject]| subject.rate / baseline.rate);
        println!(
            "{name:<34} {:>11.0} {:>11.0} {ratio:>7.3} {:>6.2}..{:<5.2} {:>9.2} {:>9.2} {:>7.3}  {target}",
            median(|[_, subject]| subject.rate),
            median(|[baseline, _]| baseline.rate),
            spread[turns / 10],
            spread[turns - 1 - turns / 10],
            median(|[_, subject]| subject.cpu * 1e6),
            median(|[baseline, _]| baseline.cpu * 1e6),
            median(|[baseline, subject]| baseline.cpu / subject.cpu),
        );
    }
}

impl Turn {
    fn take(threads: &Threads, asked: Asked) -> Self {
        let before = threads.server_time();
        let asking = requests_in(TURN, asked);
        let count = threads.clients.block_on(asking) as f64;
        let spent = threads.server_time() - before;
        Self {
            rate: count / TURN.as_secs_f64(),
            cpu: spent / count,
        }
    }
}

/// What stands above the figures; the clients are always as many.
pub(crate) fn print_heading() {
    println!(
        "\n{:<34} {:>11} {:>11} {:>7} {:>13} {:>9} {:>9} {:>7}",
        format!("{CLIENTS} clients"),
        "requests/s",
        "baseline",
        "ratio",
        "10..90 %",
        "CPU µs",
        "baseline",
        "ratio"
    );
}

const TURN: Duration = Duration::from_millis(500);
