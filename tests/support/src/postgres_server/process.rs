use std::{
    fs,
    path::Path,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// A running server process, stopped on drop.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    /// Waits until the server takes connections; `None` if it ends instead.
    pub(super) fn once_ready(child: Child, log: &Path) -> Option<Self> {
        let mut process = Self(child);
        let deadline = Instant::now() + START_BOUND;
        let said = || fs::read_to_string(log).unwrap_or_default();
        while !said().contains("ready to accept connections") {
            if !matches!(process.0.try_wait(), Ok(None)) {
                return None;
            }
            assert!(Instant::now() < deadline, "postgres only said:\n{}", said());
            thread::sleep(PAUSE);
        }
        Some(process)
    }

    /// Without any farewell (`SIGQUIT`, which its children are told too; after `SIGKILL` some would live on for a
    /// while).
    pub(super) fn stop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::QUIT);
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

const START_BOUND: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);
