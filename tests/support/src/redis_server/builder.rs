use super::{RedisServer, launch::Launch};
use crate::server::Server;

/// How a [`RedisServer`] is to be started.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    args: Vec<String>,
    unix_socket: bool,
    tls: bool,
}

impl Builder {
    /// Adds one argument of the command line, after the defaults, so that it can override them.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Makes [`RedisServer::url`] name the Unix socket instead of the port.
    #[must_use]
    pub fn unix_socket(mut self) -> Self {
        self.unix_socket = true;
        self
    }

    /// Makes the port speak TLS, with a certificate for `localhost` and `127.0.0.1` that is signed
    /// by [`RedisServer::authority`].
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Panics
    ///
    /// If `redis-server` is not on the `PATH` or does not start with these arguments.
    #[must_use]
    pub fn start(self) -> RedisServer {
        let launch = Launch::new(self.args, self.tls);
        let (port, process) = launch.on_free_port();
        RedisServer {
            process,
            launch,
            port,
            unix_socket: self.unix_socket,
        }
    }
}
