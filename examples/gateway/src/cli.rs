//! The command line.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use clap::Parser;

use crate::{config::Config, error::StartError};

/// A caching, rate-limiting reverse proxy.
#[derive(Clone, Debug, Parser)]
#[command(version, about, after_help = KEYS)]
pub struct Options {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// The server behind: http://host:port or https://host:port
    #[arg(long, value_name = "URL")]
    pub origin: Option<String>,

    /// Where responses are kept: memory:, redis://host:port, rediss://host:port or unix:/path [default: memory:]
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,

    /// Threads that answer requests [default: one for each core]
    #[arg(long, value_name = "NUMBER")]
    pub workers: Option<NonZeroUsize>,

    /// All of this and everything else, in TOML: see below
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
        config.workers = self.workers.unwrap_or(config.workers);
        Ok(config)
    }
}

const KEYS: &str = "\
What can be said in the file. A key that is not known is an error, and so is a value that makes no sense.
examples/gateway/gateway.toml has them all, with their defaults.

  listen, origin, store,
  workers                as above
  namespace              whose keys they are in a shared store
  hosts                  the hosts that are served [default: all]
  trusted_proxies        whose Forwarded and X-Forwarded-* are believed [default: nobody's]
  access_log             a line of JSON for each request [default: true]
  cache_status           on, off, or explain: why a response was not stored
  cache_status_name      which of the caches on the way says that [default: gateway]
  targets                the fields in which the origin speaks to this cache in place of Cache-Control
                         [default: surrogate-control, cdn-cache-control]
  tag_fields             the fields in which it names tags, such as surrogate-key and cache-tag [default: none]
  key_fields             request fields that are part of every key
  memory                 bytes kept in this process
  consistency            eventual, or strict: the store is asked at each hit for what was cleared out
  lease                  one fetch for all gateways on the store, where no class says it [default: none]
  [timeouts]             head, connect, response, soft (then something stale answers), store, body, shutdown
  [bounds]               head, fields, body, connections, origin_requests
  [pool]                 protocol, ca, idle, idle_timeout, keep_host
  [query]                only, ignore, ignore_tracking, sort
  [classes.NAME]         fresh_for, stale_while_revalidate, stale_if_error, jitter, early_refresh, soft_timeout,
                         hard_timeout, lease, largest_body, variants, first_level, store, errors, allow_cookies
  [[routes]]             path, class, force, tags, cache
  [[rate_limits]]        name, by, limit, window, burst
  [admin]                listen, token: purges, figures, metrics, and the monitor's live page (/keep)

Lengths of time are written 250ms, 30s, 5m, 1h, 7d; sizes are bytes.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_help_names_all_that_the_example_has() {
        let help = Options::command().render_help().to_string();
        let example = include_str!("../gateway.toml");
        let example: toml::Table = example.parse().expect("TOML");
        let mut keys: Vec<_> = example.keys().cloned().collect();
        for section in example.values() {
            let class = section.get("assets");
            let table = class.unwrap_or(section).as_table();
            keys.extend(table.into_iter().flat_map(toml::Table::keys).cloned());
        }
        for key in keys {
            assert!(help.contains(&key), "{key}");
        }
    }
}
