//! Several processes of one application on one Redis.

mod bad_input;
mod cold;
mod cost;
mod loss;
mod random;
mod write;

use tower_keep_cluster::Setup;

fn setup() -> Setup {
    Setup::of(env!("CARGO_BIN_EXE_cluster-app"))
}

/// What a test found out, for whoever wants to see it (`--nocapture`).
#[allow(clippy::print_stderr)]
fn say(what: &str, result: impl std::fmt::Display) {
    eprintln!("{what}: {result}");
}
