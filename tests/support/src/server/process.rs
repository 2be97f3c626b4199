use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

/// A running server process, ended on drop.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: &'static str,
    end: Signal,
}

impl Process {
    pub(super) fn new(child: Child, name: &'static str, end: Signal) -> Self {
        Self { child, name, end }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends the signal that ends it and waits for the end; an ended process stays ended.
    pub(crate) fn kill(&mut self) {
        if !self.has_ended() {
            let _ = kill_process(Pid::from_child(&self.child), self.end);
        }
        let _ = self.child.wait();
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        assert!(
            !self.has_ended(),
            "{} has ended, it cannot be paused or resumed",
            self.name
        );
        kill_process(Pid::from_child(&self.child), signal).expect("our own child can be signalled");
    }

    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
