use std::{
    path::Path,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::client::{self, Reply};

/// A running server process, killed on drop.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    /// Waits until the server answers; `None` if it ends instead.
    pub(super) fn once_ready(child: Child, socket: &Path) -> Option<Self> {
        let mut process = Self(child);
        let deadline = Instant::now() + START_BOUND;
        while !answers(socket) {
            if process.has_ended() {
                return None;
            }
            assert!(
                Instant::now() < deadline,
                "redis-server gave no PONG within {START_BOUND:?}"
            );
            thread::sleep(PAUSE);
        }
        Some(process)
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends SIGKILL and waits for the end; an ended process stays ended.
    pub(super) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        assert!(
            !self.has_ended(),
            "redis-server has ended, it cannot be paused or resumed"
        );
        kill_process(Pid::from_child(&self.0), signal).expect("our own child can be signalled");
    }

    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn answers(socket: &Path) -> bool {
    client::call(socket, &["PING"]).is_ok_and(|reply| match reply {
        Reply::Status(text) => text == "PONG",
        Reply::Error(text) => text.starts_with("NOAUTH"),
        _ => false,
    })
}

const START_BOUND: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);
