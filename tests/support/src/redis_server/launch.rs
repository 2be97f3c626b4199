use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::{process::Process, tls::Tls};
use crate::port::Port;

/// All that is needed to start the same server again.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) dir: TempDir,
    pub(super) args: Vec<String>,
    pub(super) tls: Option<Tls>,
}

impl Launch {
    pub(super) fn new(args: Vec<String>, tls: bool) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("keep-redis-")
            .tempdir()
            .expect("a temporary directory can be made");
        let tls = tls.then(|| Tls::make(dir.path()));
        Self { dir, args, tls }
    }

    /// The socket through which the test itself talks to the server, whatever its port speaks.
    pub(super) fn socket(&self) -> PathBuf {
        self.dir.path().join("redis.sock")
    }

    /// Starts the server on a free port; on another, should something else come before it there.
    pub(super) fn on_free_port(&self) -> (Port, Process) {
        for _ in 0..TRIES {
            let port = Port::reserve();
            if let Some(process) = self.on(port.number()) {
                return (port, process);
            }
        }
        panic!(
            "redis-server did not start in {TRIES} tries; its last words:\n{}",
            self.log()
        );
    }

    /// Starts the server on the port that it had before.
    pub(super) fn on_same_port(&self, port: &Port) -> Process {
        let port = port.number();
        (0..TRIES).find_map(|_| self.on(port)).unwrap_or_else(|| {
            panic!(
                "redis-server did not start again on port {port}:\n{}",
                self.log()
            )
        })
    }

    fn on(&self, port: u16) -> Option<Process> {
        let socket = self.socket();
        let _ = fs::remove_file(&socket);
        let child = self
            .command(port)
            .spawn()
            .unwrap_or_else(|error| panic!("{}", hint(&error)));
        Process::once_ready(child, &socket)
    }

    fn command(&self, port: u16) -> Command {
        let log = File::create(self.log_file()).expect("the server's directory can be written");
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port".to_owned(), port.to_string()])
            .arg("--dir")
            .arg(self.dir.path())
            .arg("--unixsocket")
            .arg(self.socket())
            .args(
                self.tls
                    .iter()
                    .flat_map(|_| Tls::args(self.dir.path(), port)),
            )
            .args(&self.args)
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a file handle can be cloned"))
            .stdout(log);
        command
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join("redis.log")
    }

    fn log(&self) -> String {
        tail(&self.log_file())
    }
}

fn tail(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

fn hint(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "redis-server is not on the PATH: ./tests/run installs it, or \
                                    install the package redis-server (redis) by hand"
            .to_owned(),
        _ => format!("redis-server cannot be started: {error}"),
    }
}

const TRIES: usize = 8;
