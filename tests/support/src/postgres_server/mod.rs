//! A real PostgreSQL for one test.

mod account;
mod launch;

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
};

use self::launch::Launch;
use crate::{
    port::Port,
    server::{Process, Server},
};

/// A `postgres` process of its own: a free port of 127.0.0.1, its own directory, nothing flushed; stopped on
/// drop. The user is `postgres` and needs no password.
#[derive(Debug)]
pub struct PostgresServer {
    // The process ends before its directory is removed: fields are dropped in this order.
    process: Process,
    launch: Launch,
    port: Port,
}

impl PostgresServer {
    /// Starts a server; says so and returns `None` where PostgreSQL is not installed.
    ///
    /// # Panics
    ///
    /// If it is installed and does not start.
    #[must_use]
    #[allow(clippy::print_stderr)]
    pub fn start() -> Option<Self> {
        let Some(launch) = Launch::where_installed() else {
            eprintln!("SKIPPED: there is no PostgreSQL here; ./tests/run installs it");
            return None;
        };
        let (port, process) = launch.on_free_port();
        Some(Self {
            process,
            launch,
            port,
        })
    }

    /// The address of the port, to put a [`TcpProxy`](crate::TcpProxy) in front.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// How a client reaches it at this address, its own or a proxy's.
    #[must_use]
    pub fn at(address: SocketAddr) -> String {
        format!(
            "host={} port={} user=postgres dbname=postgres",
            address.ip(),
            address.port()
        )
    }

    /// Runs statements in `psql`, as somebody does by hand: each in a transaction of its own. Returns what it
    /// printed.
    ///
    /// # Panics
    ///
    /// If one of them fails.
    pub fn psql(&self, statements: &str) -> String {
        let output = Command::new(self.launch.program("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(Self::at(self.address()))
            .args(["-f", "-"])
            .stdin(input(self.launch.directory(), statements))
            .output()
            .expect("psql can be started");
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    /// Stops it at once, as a crash would, and starts it again on the same port.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn crash(&mut self) {
        self.process.kill();
        self.process = self.launch.on_same_port(&self.port);
    }
}

fn input(directory: &Path, statements: &str) -> File {
    let file = tempfile::NamedTempFile::new_in(directory).expect("a file can be made");
    fs::write(file.path(), statements).expect("the file can be written");
    File::open(file.path()).expect("the file is there")
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}
