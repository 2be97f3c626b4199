//! A real Redis for one test.

mod builder;
mod client;
mod launch;
mod tls;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use rustix::process::Signal;

use self::launch::Launch;
pub use self::{builder::Builder, client::Reply};
use crate::{
    port::Port,
    server::{Process, Server},
};

/// A `redis-server` process of its own: a free port of 127.0.0.1, its own directory, no
/// persistence; killed on drop.
///
/// Questions of the test itself ([`command`](Self::command)) go through a Unix socket, so that
/// they work whatever the port speaks. They are counted by the server like any other command.
#[derive(Debug)]
pub struct RedisServer {
    // The process ends before its directory is removed: fields are dropped in this order.
    process: Process,
    launch: Launch,
    port: Port,
    unix_socket: bool,
}

impl RedisServer {
    /// Starts a server with the defaults.
    ///
    /// # Panics
    ///
    /// If `redis-server` is not on the `PATH` or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A server with options.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where clients reach it: `redis://`, `rediss://` or `unix://`.
    #[must_use]
    pub fn url(&self) -> String {
        if self.unix_socket {
            return format!("unix://{}", self.socket_path().display());
        }
        let scheme = if self.launch.tls.is_some() {
            "rediss"
        } else {
            "redis"
        };
        format!("{scheme}://127.0.0.1:{}", self.port.number())
    }

    /// The address of the port, to put a [`TcpProxy`](crate::TcpProxy) in front.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The port, the same after [`restart`](Self::restart).
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The process id.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The Unix socket, which exists with every server.
    #[must_use]
    pub fn socket_path(&self) -> PathBuf {
        self.launch.socket()
    }

    /// The server's directory, removed on drop.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.launch.dir.path()
    }

    /// The certificate authority that clients must trust, as PEM; `None` without TLS.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        self.launch.tls.as_ref().map(|tls| tls.authority.as_str())
    }

    /// Kills the process as a crash would (`SIGKILL`).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port, empty; kills it first if it still runs.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = self.launch.on_same_port(&self.port);
    }

    /// Stops the process without ending it (`SIGSTOP`): connections stay open, nothing answers.
    pub fn pause(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets a paused process go on.
    pub fn resume(&mut self) {
        self.process.signal(Signal::CONT);
    }

    /// Runs one command.
    ///
    /// # Panics
    ///
    /// If the server does not answer; see [`try_command`](Self::try_command).
    #[allow(clippy::must_use_candidate)] // most are sent for their effect
    pub fn command(&self, words: &[&str]) -> Reply {
        self.try_command(words)
            .unwrap_or_else(|error| panic!("redis-server did not answer {words:?}: {error}"))
    }

    /// Runs one command, on a connection of its own, blocking for at most ten seconds.
    ///
    /// # Errors
    ///
    /// If the server is dead, paused or answers nonsense. An error reply is a [`Reply`].
    pub fn try_command(&self, words: &[&str]) -> io::Result<Reply> {
        client::call(&self.socket_path(), words)
    }

    /// How often each command was called since the start or the last
    /// [`reset_stats`](Self::reset_stats), names in lower case (`get`, `script|load`).
    #[must_use]
    pub fn command_stats(&self) -> BTreeMap<String, u64> {
        let reply = self.command(&["INFO", "commandstats"]);
        let text = reply.text().expect("INFO answers with text");
        text.lines().filter_map(calls_of_line).collect()
    }

    /// How many listen to what is published, on all channels together.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub fn listeners(&self) -> usize {
        let Reply::Array(Some(channels)) = self.command(&["PUBSUB", "CHANNELS"]) else {
            panic!("CHANNELS answers with a list");
        };
        let on = |channel: String| {
            let Reply::Array(Some(of)) = self.command(&["PUBSUB", "NUMSUB", &channel]) else {
                panic!("NUMSUB answers with a list");
            };
            let Some(Reply::Integer(listeners)) = of.get(1) else {
                panic!("and in it are numbers");
            };
            usize::try_from(*listeners).expect("not negative")
        };
        channels.iter().filter_map(Reply::text).map(on).sum()
    }

    /// Sets all counters of [`command_stats`](Self::command_stats) to zero.
    ///
    /// # Panics
    ///
    /// If the server does not obey.
    pub fn reset_stats(&self) {
        let reply = self.command(&["CONFIG", "RESETSTAT"]);
        assert_eq!(reply, Reply::Status("OK".to_owned()));
    }
}

/// Reads `cmdstat_get:calls=3,usec=…`.
fn calls_of_line(line: &str) -> Option<(String, u64)> {
    let (name, fields) = line.strip_prefix("cmdstat_")?.split_once(':')?;
    let calls = fields
        .split(',')
        .find_map(|field| field.strip_prefix("calls="))?;
    Some((name.to_owned(), calls.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::calls_of_line;

    #[test]
    fn the_calls_of_a_command_are_read() {
        let line = "cmdstat_script|load:calls=12,usec=5,usec_per_call=0.4,rejected_calls=0";
        assert_eq!(calls_of_line(line), Some(("script|load".to_owned(), 12)));
        assert_eq!(calls_of_line("# Commandstats"), None);
    }
}
