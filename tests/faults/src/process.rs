use std::{env, net::SocketAddr, path::Path, process::ExitStatus};

use clap::Parser;
use dashboard::Limits;
use tower_keep_test_support::Program;

use crate::{Client, Hiring};

/// The application as a process of its own, killed on drop.
///
/// It is this very test program, started again for one test: the one that calls [`run_if_asked`].
/// That runs what the binary `dashboard` runs, with the same options.
#[derive(Debug)]
pub struct Process {
    program: Program,
    address: SocketAddr,
}

/// Runs the application if this process was started for it.
///
/// # Panics
///
/// If the application fails.
pub fn run_if_asked() {
    let Ok(options) = env::var(OPTIONS) else {
        return;
    };
    let words = std::iter::once("dashboard").chain(options.split('\n'));
    let options = dashboard::Options::parse_from(words);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(dashboard::run(options))
        .expect("the application runs until it is told to stop");
}

impl Process {
    /// Starts it; `test` is the name of the test that calls [`run_if_asked`].
    #[must_use]
    pub fn start(test: &str, hiring: &Hiring, store: &str) -> Self {
        Self::start_with(test, hiring, store, &[])
    }

    /// Starts it with these variables in its environment.
    ///
    /// # Panics
    ///
    /// If it does not come to listen.
    #[must_use]
    pub fn start_with(
        test: &str,
        hiring: &Hiring,
        store: &str,
        variables: &[(&str, &Path)],
    ) -> Self {
        let path = hiring.path();
        let database = path.to_str().expect("a path in UTF-8");
        let limit = Limits::NONE_REACHES.address_per_second.to_string();
        let options = [
            "--listen",
            "127.0.0.1:0",
            "--store",
            store,
            "--database",
            database,
            "--limit-per-second",
            &limit,
        ];
        let program = Program::this(test).env(OPTIONS, options.join("\n"));
        let program = variables
            .iter()
            .fold(program, |program, (name, value)| program.env(name, value));
        let mut program = program.hear_errors().start();
        let url = program.says("open http://");
        let address = url.trim_end_matches('/').parse().expect("an address");
        Self { program, address }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new client of it.
    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// All that it wrote to its standard error.
    #[must_use]
    pub fn said(&self) -> String {
        self.program.said()
    }

    /// Asks it to stop (`SIGTERM`), and waits until it has.
    ///
    /// # Panics
    ///
    /// If it cannot be asked.
    pub fn stop(&mut self) -> ExitStatus {
        self.program.stop()
    }
}

/// The application's arguments, one a line.
const OPTIONS: &str = "KEEP_FAULTS_DASHBOARD";
