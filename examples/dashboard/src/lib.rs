//! A hiring platform whose pages are slow for honest reasons, and fast from the
//! cache, whose callers are limited and whose recruiters sign in: the example server of
//! tower-keep.
//!
//! - `GET /` shows it: each panel says how long it took, whether the cache
//!   answered and why, and how many database queries it cost.
//! - `GET /api/dashboard/{recruiter}`, `/api/jobs`,
//!   `/api/recommendations/{candidate}`, `/api/candidates`,
//!   `/api/candidates/{id}` are the pages behind it.
//! - `PATCH /api/candidates/{id}/status` changes a row; every page that shows it is new from then on.
//! - `POST /webhooks/calendar` inserts an interview, with the company's
//!   configuration from the cache.
//! - `POST /api/login`, `GET /api/me`, `POST /api/logout` and the like sign
//!   recruiters in and out; `GET /recruiter` is the page of whoever is signed in.
//!   `POST /api/tokens` signs programs in: `Authorization: Bearer` with what
//!   `Session-Ticket` says.
//! - `GET /keep` shows how the cache does; `GET /metrics` tells Prometheus.
//!
//! What is cached, for how long, and what invalidates it stands in one file,
//! `cache.rs`: no handler invalidates anything. What is changed in the database, by whatever program, tells the
//! cache itself (`changes/`); who may ask how often, in `limits.rs`; who stays signed in, and
//! how long, in `sessions.rs`; how the cache is judged, in `monitor.rs`. Everything else is an application as it would be
//! without them.

mod accounts;
mod app;
mod cache;
mod candidates;
mod changes;
mod cli;
mod database;
mod error;
mod http;
mod jobs;
mod limits;
mod measure;
mod model;
mod monitor;
mod overview;
mod page;
mod recommendations;
mod run;
mod seed;
mod serve;
mod sessions;
mod webhook;

use std::{fmt, io, io::Write};

pub use self::{
    app::App,
    cli::Options,
    database::{Database, OpenError},
    error::StartError,
    limits::Limits,
    monitor::Monitoring,
    run::run,
    seed::Volume,
    sessions::Sessions,
    webhook::Caller,
};

/// One line for the operator. A closed standard error is no reason to fail.
fn say(message: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "dashboard: {message}");
}
