use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use clap::Parser;
use dashboard::Limits;
use rustix::process::{Pid, Signal, kill_process};

use crate::{Client, Hiring};

/// The application as a process of its own, killed on drop.
///
/// It is this very test program, started again for one test: the one that calls [`run_if_asked`].
/// That runs what the binary `dashboard` runs, with the same options.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
    said: Arc<Mutex<String>>,
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
        let mut child = Command::new(env::current_exe().expect("this program has a path"))
            .args([test, "--exact", "--ignored", "--nocapture"])
            .env(OPTIONS, options.join("\n"))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        let address = loop {
            let start = said.len();
            let read = stderr.read_line(&mut said).expect("it writes text");
            if let Some(address) = address_in(&said[start..]) {
                break address;
            }
            assert_ne!(read, 0, "the application ended at its start:\n{said}");
        };
        let said = Arc::new(Mutex::new(said));
        listen(stderr, said.clone());
        Self {
            child,
            address,
            said,
        }
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
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.clone()
    }

    /// Asks it to stop (`SIGTERM`), and waits until it has.
    ///
    /// # Panics
    ///
    /// If it cannot be asked.
    pub fn stop(&mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("our own child");
        self.child.wait().expect("our own child")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, url) = line.split_once("open http://")?;
    url.trim_end().trim_end_matches('/').parse().ok()
}

/// Keeps reading, so that the process never waits for a full pipe.
fn listen(mut stderr: BufReader<ChildStderr>, said: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut bytes = [0; 1024];
        while let Ok(length @ 1..) = stderr.read(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..length]);
            said.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&text);
        }
    });
}

/// The application's arguments, one a line.
const OPTIONS: &str = "KEEP_FAULTS_DASHBOARD";
