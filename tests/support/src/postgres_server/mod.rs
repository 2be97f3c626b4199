//! A real PostgreSQL for one test.

mod account;
mod process;

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

use self::{account::Account, process::Process};
use crate::port::Port;

/// A `postgres` process of its own: a free port of 127.0.0.1, its own directory, nothing flushed; stopped on
/// drop. The user is `postgres` and needs no password.
#[derive(Debug)]
pub struct PostgresServer {
    // The process ends before its directory is removed: fields are dropped in this order.
    process: Process,
    programs: PathBuf,
    directory: TempDir,
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
        let Some(programs) = programs() else {
            eprintln!("SKIPPED: there is no PostgreSQL here; ./tests/run installs it");
            return None;
        };
        let account = Account::of_servers();
        let directory = tempfile::Builder::new()
            .prefix("keep-postgres-")
            .tempdir()
            .expect("a temporary directory can be made");
        account.owns(directory.path());
        initialise(&programs, directory.path(), account);
        let (port, process) = (0..TRIES)
            .find_map(|_| {
                let port = Port::reserve();
                let log = directory.path().join("log");
                let server = command(&programs, directory.path(), account, &port, &log).spawn();
                let server = server.expect("postgres can be started");
                Some((port, Process::once_ready(server, &log)?))
            })
            .expect("postgres starts on a free port");
        Some(Self {
            process,
            programs,
            directory,
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
        let output = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(Self::at(self.address()))
            .args(["-f", "-"])
            .stdin(input(self.directory.path(), statements))
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
        self.process.stop();
        let log = self.directory.path().join("log");
        let account = Account::of_servers();
        let server = command(
            &self.programs,
            self.directory.path(),
            account,
            &self.port,
            &log,
        )
        .spawn();
        let server = server.expect("postgres can be started");
        let process = Process::once_ready(server, &log);
        self.process = process.expect("postgres starts again on its port");
    }
}

/// Where the servers' programs are: Debian puts them beside the `PATH`, one directory for each version.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut versions: Vec<_> = versions.flatten().map(|it| it.path().join("bin")).collect();
    versions.sort();
    let known = std::env::split_paths(&path).chain(versions.into_iter().rev());
    known
        .filter(|path| {
            ["initdb", "postgres", "psql"]
                .iter()
                .all(|it| path.join(it).exists())
        })
        .find_map(|path| path.canonicalize().ok())
}

fn initialise(programs: &Path, directory: &Path, account: Account) {
    let mut command = Command::new(programs.join("initdb"));
    command
        .args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
            "-D",
        ])
        .arg(directory.join("data"))
        .current_dir(directory);
    let output = account.runs(&mut command).output();
    let output = output.expect("initdb can be started");
    assert!(output.status.success(), "{}", text(&output));
}

fn command(
    programs: &Path,
    directory: &Path,
    account: Account,
    port: &Port,
    log: &Path,
) -> Command {
    let log = File::create(log).expect("the server's directory can be written");
    let mut command = Command::new(programs.join("postgres"));
    command
        .arg("-D")
        .arg(directory.join("data"))
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
        .args(["-c", "unix_socket_directories=", "-p"])
        .arg(port.number().to_string())
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    account.runs(&mut command);
    command
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

const TRIES: usize = 8;
