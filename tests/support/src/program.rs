use std::{
    env,
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver},
    },
    thread,
};

use rustix::process::{Pid, Signal, kill_process};

/// A program as a process of its own, killed on drop as `kill -9` does it.
///
/// What it says is read as it says it, so that it never waits for a full pipe.
#[derive(Debug)]
pub struct Program {
    child: Child,
    // Locked only so that a reference may go to another thread.
    lines: Mutex<Receiver<String>>,
    said: Arc<Mutex<String>>,
}

/// How a [`Program`] is to be started.
#[derive(Debug)]
pub struct Builder {
    command: Command,
    hear_errors: bool,
}

impl Program {
    /// The program in this file.
    #[must_use]
    pub fn at(path: impl AsRef<Path>) -> Builder {
        let mut command = Command::new(path.as_ref());
        command.stdin(Stdio::piped());
        Builder {
            command,
            hear_errors: false,
        }
    }

    /// This very test program, started again for one test that is ignored otherwise.
    ///
    /// # Panics
    ///
    /// If this program has no path.
    #[must_use]
    pub fn this(test: &str) -> Builder {
        Self::at(env::current_exe().expect("this program has a path")).args([
            test,
            "--exact",
            "--ignored",
            "--nocapture",
        ])
    }

    /// Waits for a line with `mark` in it, and returns what stands behind it.
    ///
    /// # Panics
    ///
    /// If it ends before.
    pub fn says(&mut self, mark: &str) -> String {
        let lines = self.lines.get_mut().unwrap_or_else(PoisonError::into_inner);
        let behind = |line: String| Some(line.split_once(mark)?.1.trim_end().to_owned());
        lines.iter().find_map(behind).unwrap_or_else(|| {
            panic!(
                "it ended before it said {mark:?}; it said:\n{}",
                self.said()
            )
        })
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    ///
    /// If it does not listen.
    pub fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("a pipe");
        writeln!(input, "{line}").expect("it listens");
    }

    /// All that it said.
    #[must_use]
    pub fn said(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.clone()
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a crash would (`SIGKILL`), and waits for the end; an ended one stays ended.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop (`SIGTERM`), and waits until it has.
    ///
    /// # Panics
    ///
    /// If it cannot be asked.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.child.wait().expect("our own child")
    }

    /// Stops it without ending it (`SIGSTOP`): connections stay open, nothing answers.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn pause(&mut self) {
        self.signal(Signal::STOP);
    }

    /// Lets a paused one go on.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn resume(&mut self) {
        self.signal(Signal::CONT);
    }

    fn signal(&mut self, signal: Signal) {
        let has_ended = !matches!(self.child.try_wait(), Ok(None));
        assert!(!has_ended, "it has ended; it said:\n{}", self.said());
        kill_process(Pid::from_child(&self.child), signal).expect("our own child can be signalled");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Builder {
    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// Adds a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Hears what it says to its standard error; its standard output is lost. Default: the other way
    /// round, and its standard error is this process's.
    #[must_use]
    pub fn hear_errors(mut self) -> Self {
        self.hear_errors = true;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If there is no such program.
    #[must_use]
    pub fn start(mut self) -> Program {
        match self.hear_errors {
            true => self.command.stdout(Stdio::null()).stderr(Stdio::piped()),
            false => self.command.stdout(Stdio::piped()),
        };
        let mut child = self.command.spawn().expect("the program can be started");
        let said = Arc::new(Mutex::new(String::new()));
        let lines = match self.hear_errors {
            true => listen(child.stderr.take().expect("a pipe"), &said),
            false => listen(child.stdout.take().expect("a pipe"), &said),
        };
        Program {
            child,
            lines: Mutex::new(lines),
            said,
        }
    }
}

/// Reads to the end, whether or not anybody wants the lines.
fn listen(pipe: impl Read + Send + 'static, said: &Arc<Mutex<String>>) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    let said = Arc::clone(said);
    let mut pipe = BufReader::new(pipe);
    thread::spawn(move || {
        let mut bytes = Vec::new();
        while let Ok(1..) = pipe.read_until(b'\n', &mut bytes) {
            let line = String::from_utf8_lossy(&bytes).into_owned();
            let mut all = said.lock().unwrap_or_else(PoisonError::into_inner);
            all.push_str(&line);
            let _nobody_may_want_it = sender.send(line);
            bytes.clear();
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::Program;

    fn shell(script: &str) -> Program {
        Program::at("/bin/sh").args(["-c", script]).start()
    }

    #[test]
    fn it_is_heard_told_paused_and_killed() {
        let mut program = shell("echo listens on here; read line; echo told $line; read line");
        assert_eq!(program.says("listens on "), "here");
        program.pause();
        program.tell("this");
        program.resume();
        assert_eq!(program.says("told "), "this");
        assert_eq!(program.said(), "listens on here\ntold this\n");
        program.kill();
        program.kill();
    }

    #[test]
    #[should_panic(expected = "it said:\nno")]
    fn one_that_ends_too_early_is_quoted() {
        shell("echo no").says("yes");
    }
}
