//! Whole applications on real Redis servers that die, hang, lie and come back.

mod coherence;
mod garbage;
mod network;
mod outage;
mod startup;
mod tls;

use tower_keep_faults::{Hiring, Process, run_if_asked};

/// Not a test: what the tests start as a process of its own.
#[test]
#[ignore = "the others start it"]
fn the_application() {
    run_if_asked();
}

fn process(hiring: &Hiring, store: &str) -> Process {
    Process::start("the_application", hiring, store)
}

/// What a test found out, for whoever wants to see it (`--nocapture`).
#[allow(clippy::print_stderr)]
fn say(what: &str, result: impl std::fmt::Display) {
    eprintln!("{what}:\n{result}");
}
