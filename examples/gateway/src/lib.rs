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
//! Purges, figures, metrics and the monitor's live page (`/keep`; the password is the token) are to be had at an address
//! of their own, with a token (`admin`).
//!
//! A page that states no lifetime is fresh for a tenth of the time since it was changed, as RFC 9111 suggests; what an
//! origin says in `Cache-Control`, or `Surrogate-Control` and `CDN-Cache-Control` for the gateway alone, holds. (The
//! dashboard, `examples/dashboard`, says `private` of its pages: a gateway in front of it stores none.) The policy is
//! [`CachePolicy::rfc9111`](tower_keep::CachePolicy::rfc9111), which any application may choose; `tests/conformance` says
//! how it does in the public suite of HTTP cache tests.
//!
//! An origin `https://app.example:8443` is spoken to over TLS, and in HTTP/2 if it takes it; what asks for an upgrade
//! goes in HTTP/1.1. Its certificate has to be for `app.example`, of an authority that the operating system knows or that
//! the configuration names (`pool.ca`). One that is not trusted, or cannot be reached, is a 502, or a 504 if it took longer than
//! `timeouts.connect`; why, the log on standard error says, and clients do not hear. A client's certificate is not shown.
//!
//! In `Cache-Status` it is `gateway`, unless the configuration says otherwise (`cache_status_name`).
//!
//! All that can be configured is in `gateway.toml`, beside this, as it is by default; `--help` lists the keys.

mod admin;
mod answer;
mod causes;
mod cli;
pub mod config;
mod error;
mod front;
mod gateway;
mod limits;
mod log;
mod networks;
mod place;
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
