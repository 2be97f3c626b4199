//! The command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Parser, value_parser};

use crate::{Limits, Monitoring, Sessions};

/// A hiring dashboard on SQLite, with and without the cache.
#[derive(Clone, Debug, Parser)]
#[command(version, about)]
pub struct Options {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,

    /// Where cached responses live: memory:, redis://host:port or unix:/path
    #[arg(long, value_name = "URL", default_value = "memory:")]
    pub store: String,

    /// The SQLite file, filled at the first start [default: dashboard.db here;
    /// a temporary one with --measure]
    #[arg(long, value_name = "PATH")]
    pub database: Option<PathBuf>,

    /// Requests a second that one client address may send to /api [default: 500;
    /// with --measure more than it sends]
    #[arg(long, value_name = "NUMBER", value_parser = value_parser!(u32).range(1..))]
    pub limit_per_second: Option<u32>,

    /// Seconds after its last request at which a session ends [default: 86400]
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u32).range(1..))]
    pub idle_timeout: Option<u32>,

    /// Send the session's cookie over plain HTTP too: needed at any address but
    /// localhost where there is no TLS in front
    #[arg(long)]
    pub insecure_cookies: bool,

    /// Seconds after an endpoint's first request in which its cache is not judged [default: 60]
    #[arg(long, value_name = "SECONDS")]
    pub warm_up: Option<u32>,

    /// Measure every endpoint with and without the cache, print a table and exit
    #[arg(long)]
    pub measure: bool,

    /// With --measure: print JSON
    #[arg(long, requires = "measure")]
    pub json: bool,
}

impl Options {
    pub(crate) fn sessions(&self) -> Sessions {
        let idle = self.idle_timeout.map(u64::from);
        Sessions {
            idle: idle.map_or(Sessions::default().idle, Duration::from_secs),
            insecure_cookies: self.insecure_cookies,
        }
    }

    pub(crate) fn monitoring(&self) -> Monitoring {
        let warm_up = self.warm_up.map(u64::from);
        Monitoring {
            warm_up: warm_up.map_or(Monitoring::default().warm_up, Duration::from_secs),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        let usual = if self.measure {
            Limits::NONE_REACHES
        } else {
            Limits::default()
        };
        Limits {
            address_per_second: self.limit_per_second.unwrap_or(usual.address_per_second),
        }
    }
}
