//! What the servers that tests start have in common: a free port, a start, and a wait until they are ready.

mod process;

use std::{
    fs,
    io::{self, ErrorKind},
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

pub(crate) use self::process::Process;
use crate::port::Port;

/// All that is needed to start the same server again.
pub(crate) trait Server {
    const NAME: &'static str;

    /// How long it may take until it is ready.
    const START_BOUND: Duration;

    /// What ends it without any farewell.
    const END: Signal;

    /// Begins its log anew, too.
    fn command(&self, port: u16) -> Command;

    fn is_ready(&self) -> bool;

    fn log_file(&self) -> PathBuf;

    /// Starts the server on a free port; on another, should something else come before it there.
    fn on_free_port(&self) -> (Port, Process) {
        let start = |()| {
            let port = Port::reserve();
            let process = self.on(port.number())?;
            Some((port, process))
        };
        tries().find_map(start).unwrap_or_else(|| {
            panic!(
                "{} did not start in {TRIES} tries; its last words:\n{}",
                Self::NAME,
                self.last_words()
            )
        })
    }

    /// Starts the server on the port that it had before.
    fn on_same_port(&self, port: &Port) -> Process {
        let port = port.number();
        tries().find_map(|()| self.on(port)).unwrap_or_else(|| {
            panic!(
                "{} did not start again on port {port}:\n{}",
                Self::NAME,
                self.last_words()
            )
        })
    }

    /// Waits until it is ready; `None` if it ends instead.
    fn on(&self, port: u16) -> Option<Process> {
        let child = self.command(port).spawn();
        let child = child.unwrap_or_else(|error| panic!("{}", hint(Self::NAME, &error)));
        let mut process = Process::new(child, Self::NAME, Self::END);
        let deadline = Instant::now() + Self::START_BOUND;
        while !self.is_ready() {
            if process.has_ended() {
                return None;
            }
            assert!(
                Instant::now() < deadline,
                "{} was not ready within {:?}; its last words:\n{}",
                Self::NAME,
                Self::START_BOUND,
                self.last_words()
            );
            thread::sleep(PAUSE);
        }
        Some(process)
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }
}

fn tries() -> impl Iterator<Item = ()> {
    std::iter::repeat_n((), TRIES)
}

fn hint(name: &str, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            format!("{name} is not there: ./tests/run installs it, or install its package by hand")
        }
        _ => format!("{name} cannot be started: {error}"),
    }
}

const TRIES: usize = 8;
const PAUSE: Duration = Duration::from_millis(2);
