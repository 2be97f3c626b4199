//! The configuration file: what there is, and what it is if nothing is said.
//!
//! A key that is not known is an error, everywhere: a misspelt limit would be none. `gateway.toml`, beside the
//! sources, has them all.

mod admin;
mod bounds;
mod class;
mod consistency;
mod fields;
mod pool;
mod query;
mod rate_limit;
mod route;
mod span;
mod status;
mod timeouts;

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::Path,
    thread::available_parallelism,
};

use ipnet::IpNet;
use serde::Deserialize;

pub use self::{
    admin::AdminConfig,
    bounds::Bounds,
    class::ClassConfig,
    consistency::ConsistencyConfig,
    pool::{PoolConfig, Protocol},
    query::QueryConfig,
    rate_limit::RateLimitConfig,
    route::RouteConfig,
    span::Span,
    status::StatusConfig,
    timeouts::Timeouts,
};
use crate::error::StartError;

/// All that can be said about a gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen. Default: `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// The server behind: `http://host:port`, or `https://host:port`.
    pub origin: Option<String>,
    /// The hosts that are served, with their ports if they are asked for with them; others are answered with
    /// 421. Default: all.
    pub hosts: Option<Vec<String>>,
    /// Where responses are kept. Default: `memory:`.
    pub store: String,
    /// Whose keys they are in a shared store. Default: `gateway`.
    pub namespace: String,
    /// Proxies in front whose `Forwarded` and `X-Forwarded-*` are believed. Default: none; what others send
    /// is thrown away.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether a line is written to standard output for each request. Default: yes.
    pub access_log: bool,
    /// Whether responses say what the cache did, and why they were not stored. Default: `on`.
    pub cache_status: StatusConfig,
    /// Which of the caches on the way that is, where they say so: `edge`, a host name. Default: `gateway`, so that an
    /// app behind it that has the layers of tower-keep too is told apart.
    pub cache_status_name: String,
    /// The fields in which the origin names the tags of a response, `surrogate-key` and `cache-tag`, say. They
    /// are taken out on the way. Tags stand apart by spaces in `surrogate-key`, by commas in all others. Default: none.
    pub tag_fields: Vec<String>,
    /// The response fields in which the origin speaks to this cache, in place of `Cache-Control`; the most specific
    /// first. Default: `surrogate-control`, `cdn-cache-control`.
    pub targets: Vec<String>,
    /// Request fields that are part of every key, though the origin does not name them in `Vary`.
    pub key_fields: Vec<String>,
    /// Threads that answer requests. Default: one for each core.
    pub workers: NonZeroUsize,
    /// Bytes that the cache may hold in this process. Default: 256 MiB.
    pub memory: u64,
    /// What is done before something kept is used. Default: `eventual`.
    pub consistency: ConsistencyConfig,
    /// One fetch for all gateways that share the store, of what belongs to no class: for so long the others wait
    /// before they take over from one that was killed. At least 250 ms. Default: each fetches for itself.
    pub lease: Option<Span>,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How large things may be.
    pub bounds: Bounds,
    /// The connections to the origin.
    pub pool: PoolConfig,
    /// How queries are part of keys.
    pub query: QueryConfig,
    /// Lifetimes by name.
    pub classes: BTreeMap<String, ClassConfig>,
    /// What is kept how, by path. The first that matches counts.
    pub routes: Vec<RouteConfig>,
    /// Who may ask how often.
    pub rate_limits: Vec<RateLimitConfig>,
    /// Where to purge and to look in. Default: nowhere.
    pub admin: Option<AdminConfig>,
}

impl Config {
    pub(crate) fn read(path: &Path) -> Result<Self, StartError> {
        let named = path.display();
        let text = fs::read_to_string(path)
            .map_err(|error| StartError::because(format!("cannot read {named}"), error))?;
        Self::parse(&text).map_err(|error| StartError::because(named.to_string(), error))
    }

    /// Reads the text of a configuration file.
    ///
    /// # Errors
    ///
    /// It is no TOML, has an unknown key, or a value that makes no sense; the error says where.
    pub fn parse(text: &str) -> Result<Self, StartError> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let line = error.span().map(|span| line_of(text, span.start));
            let at = line.map_or_else(String::new, |line| format!("line {line}: "));
            StartError::new(format!("{at}{}", error.message()))
        })
    }
}

impl Config {
    /// What is wrong with values that say something sensible each for itself, if anything is.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        self.bounds.check().map_err(StartError::new)?;
        self.timeouts.check().map_err(StartError::new)?;
        for (name, class) in &self.classes {
            let checked = class.check(self.timeouts.response);
            checked.map_err(|why| StartError::new(format!("the class {name:?}: {why}")))?;
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            origin: None,
            hosts: None,
            store: "memory:".to_owned(),
            namespace: "gateway".to_owned(),
            trusted_proxies: Vec::new(),
            access_log: true,
            cache_status: StatusConfig::On,
            cache_status_name: "gateway".to_owned(),
            tag_fields: Vec::new(),
            targets: ["surrogate-control", "cdn-cache-control"]
                .map(str::to_owned)
                .to_vec(),
            key_fields: Vec::new(),
            workers: available_parallelism().unwrap_or(NonZeroUsize::MIN),
            memory: 256 << 20,
            consistency: ConsistencyConfig::default(),
            lease: None,
            timeouts: Timeouts::default(),
            bounds: Bounds::default(),
            pool: PoolConfig::default(),
            query: QueryConfig::default(),
            classes: BTreeMap::new(),
            routes: Vec::new(),
            rate_limits: Vec::new(),
            admin: None,
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    1 + before.filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_its_line_at_every_depth() {
        for (text, line, key) in [
            ("orgin = 'http://a'", 1, "orgin"),
            ("store = 'memory:'\n[timeouts]\nconect = '1s'", 3, "conect"),
            ("[classes.a]\nfresh_for = '1s'\nfresh = 1", 3, "fresh"),
            ("[[routes]]\npath = '/'\nclas = 'a'", 3, "clas"),
        ] {
            let error = Config::parse(text).expect_err("refused").to_string();
            assert!(error.starts_with(&format!("line {line}: ")), "{error}");
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }

    #[test]
    fn the_example_is_all_there_is_to_say() {
        let config = Config::parse(include_str!("../../gateway.toml")).expect("it is up to date");
        assert_eq!((config.routes.len(), config.classes.len()), (3, 2));
        assert!(config.admin.is_some() && config.bounds.check().is_ok());
    }

    #[test]
    fn nothing_said_is_the_default() {
        let config = Config::parse("").expect("an empty file");
        assert_eq!(config.store, "memory:");
        assert!(config.routes.is_empty() && config.admin.is_none());
    }
}
