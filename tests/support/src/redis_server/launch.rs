use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;

use super::{
    client::{self, Reply},
    tls::Tls,
};
use crate::server::Server;

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
}

impl Server for Launch {
    const NAME: &'static str = "redis-server";
    const START_BOUND: Duration = Duration::from_secs(30);
    const END: Signal = Signal::KILL;

    fn command(&self, port: u16) -> Command {
        let _ = fs::remove_file(self.socket());
        let log = File::create(self.log_file()).expect("the server's directory can be written");
        let mut command = Command::new(Self::NAME);
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

    fn is_ready(&self) -> bool {
        client::call(&self.socket(), &["PING"]).is_ok_and(|reply| match reply {
            Reply::Status(text) => text == "PONG",
            Reply::Error(text) => text.starts_with("NOAUTH"),
            _ => false,
        })
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join("redis.log")
    }
}
