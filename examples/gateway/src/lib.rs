//! A reverse proxy that caches and limits, for those who write no Rust: hyper on both sides, the layers of
//! tower-keep in between.
//!
//! What happens to a request:
//!
//! 1. Its target and its fields are brought into one form, or it is refused (`front`): from here on the
//!    layers and the origin see the same request.
//! 2. [`HitRateLayer`](tower_keep_hit_rate::HitRateLayer) counts it, [`RateLimitLayer`](tower_keep::RateLimitLayer)
//!    may refuse it, [`CacheLayer`](tower_keep::CacheLayer), one for the class of each route (`routes`), answers it or
//!    asks on.
//! 3. Its route says the tags of what the origin answers, and whether its class holds whatever the origin says.
//! 4. The proxy (`proxy`) sends it to the origin on a pooled connection and streams both bodies.
//! 5. When the last byte has passed, the access log has a line with the outcome (`log`).
//!
//! Purges, figures and metrics are to be had at an address of their own, with a token (`admin`).

mod admin;
mod answer;
mod cli;
pub mod config;
mod error;
mod front;
mod gateway;
mod limits;
mod log;
mod networks;
mod proxy;
mod pseudonym;
mod routes;
mod run;
mod serve;
mod stack;
mod workers;

use std::{fmt, io, io::Write};

pub use self::{cli::Options, config::Config, error::StartError, gateway::Gateway, run::run};

/// One line for the operator. A closed standard error is no reason to fail.
fn say(message: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "gateway: {message}");
}
