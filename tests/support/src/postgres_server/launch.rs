use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;

use super::{account::Account, text};
use crate::server::Server;

/// All that is needed to start the same server again.
#[derive(Debug)]
pub(super) struct Launch {
    programs: PathBuf,
    directory: TempDir,
    account: Account,
}

impl Launch {
    /// With an empty database; nothing where PostgreSQL is not installed.
    pub(super) fn where_installed() -> Option<Self> {
        let programs = programs()?;
        let account = Account::of_servers();
        let directory = tempfile::Builder::new()
            .prefix("keep-postgres-")
            .tempdir()
            .expect("a temporary directory can be made");
        account.owns(directory.path());
        let launch = Self {
            programs,
            directory,
            account,
        };
        launch.initialise();
        Some(launch)
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn initialise(&self) {
        let mut command = Command::new(self.program("initdb"));
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
            .arg(self.directory().join("data"))
            .current_dir(self.directory());
        let output = self.account.runs(&mut command).output();
        let output = output.expect("initdb can be started");
        assert!(output.status.success(), "{}", text(&output));
    }
}

impl Server for Launch {
    const NAME: &'static str = "postgres";
    const START_BOUND: Duration = Duration::from_secs(60);
    /// Its children are told too; after `SIGKILL` some would live on for a while.
    const END: Signal = Signal::QUIT;

    fn command(&self, port: u16) -> Command {
        let log = File::create(self.log_file()).expect("the server's directory can be written");
        let mut command = Command::new(self.program(Self::NAME));
        command
            .arg("-D")
            .arg(self.directory().join("data"))
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-c", "unix_socket_directories=", "-p"])
            .arg(port.to_string())
            .current_dir(self.directory())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.account.runs(&mut command);
        command
    }

    fn is_ready(&self) -> bool {
        let said = fs::read_to_string(self.log_file()).unwrap_or_default();
        said.contains("ready to accept connections")
    }

    fn log_file(&self) -> PathBuf {
        self.directory().join("log")
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
