//! Prometheus' own tool, which `tests/run` installs.

use std::{
    io::{ErrorKind, Write},
    process::{Command, Output, Stdio},
};

/// What it says of this; nothing, with a message, where there is no such tool.
#[allow(clippy::print_stderr)]
pub(crate) fn promtool(arguments: &[&str], input: &str) -> Option<Output> {
    let started = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = match started {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("SKIPPED: promtool is not installed");
            return None;
        }
        started => started.expect("it starts"),
    };
    let mut stdin = promtool.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    Some(promtool.wait_with_output().expect("it ends"))
}

/// It must be content.
pub(crate) fn promtool_agrees(arguments: &[&str], input: &str) {
    if let Some(output) = promtool(arguments, input) {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success(), "{said}");
    }
}
