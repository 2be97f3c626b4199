//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser;

use crate::{config::Config, error::StartError};

/// A caching, rate-limiting reverse proxy.
#[derive(Clone, Debug, Parser)]
#[command(version, about)]
pub struct Options {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// The server behind: http://host:port
    #[arg(long, value_name = "URL")]
    pub origin: Option<String>,

    /// Where responses are kept: memory:, redis://host:port, rediss://host:port or unix:/path [default: memory:]
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,

    /// Routes, classes, limits and everything else, in TOML
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Options {
    /// What the file says, and what is said here in its place.
    pub(crate) fn into_config(self) -> Result<Config, StartError> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        config.listen = self.listen.unwrap_or(config.listen);
        config.origin = self.origin.or(config.origin);
        config.store = self.store.unwrap_or(config.store);
        Ok(config)
    }
}
