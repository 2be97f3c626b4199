//! The application as a process, and others that write to its database.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use rusqlite::Connection;
use serde_json::Value;

/// A running `dashboard`, killed on drop.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
}

/// An answer, as the process gave it.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) is_hit: bool,
    pub(crate) body: Value,
}

impl Process {
    /// Starts it on a free port and waits until it serves.
    pub(crate) fn start(database: &Path, store: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dashboard"))
            .args(["--listen", "127.0.0.1:0", "--limit-per-second", "1000000"])
            .args(["--store", store])
            .arg("--database")
            .arg(database)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .find_map(|line| {
                let line = line.unwrap();
                let (_, address) = line.split_once("open http://")?;
                address.trim_end_matches('/').parse().ok()
            })
            .expect("the process says where it listens");
        // What nobody reads would stop it some day.
        thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// As a crash would (`SIGKILL`).
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.0\r\nHost: test\r\n\r\n"))
    }

    /// The same, computed anew.
    pub(crate) fn compute(&self, path: &str) -> Answer {
        self.send(&format!(
            "GET {path} HTTP/1.0\r\nHost: test\r\nX-Bypass-Cache: 1\r\n\r\n"
        ))
    }

    pub(crate) fn change_status(&self, candidate: i64, status: &str) -> Answer {
        let body = format!(r#"{{"status":"{status}"}}"#);
        let length = body.len();
        self.send(&format!(
            "PATCH /api/candidates/{candidate}/status HTTP/1.0\r\nHost: test\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    fn send(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head[9..12].parse().unwrap(),
            is_hit: head.contains(";hit") || head.contains("; hit"),
            body: serde_json::from_str(body).unwrap(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs statements in the `sqlite3` shell; where there is none, in this process, which is another one as well.
pub(crate) fn shell(database: &Path, statements: &str) {
    let mut command = Command::new("sqlite3");
    command.args(["-bail", "-cmd", ".timeout 5000"]);
    match command.arg(database).arg(statements).output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(_) => other(database).execute_batch(statements).unwrap(),
    }
}

/// A connection of this process, of which the application's knows nothing.
pub(crate) fn other(database: &Path) -> Connection {
    let connection = Connection::open(database).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    // As in the shell.
    connection
        .pragma_update(None, "foreign_keys", false)
        .unwrap();
    connection
}

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
