//! The gateway: reads the command line and reports how it went.

use std::process::ExitCode;

use clap::Parser;

// The first of the workers.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        // A closed standard error is no reason to panic.
        .log_internal_errors(false)
        .init();
    match gateway::run(gateway::Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report();
            ExitCode::FAILURE
        }
    }
}
