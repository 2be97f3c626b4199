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
//! # What to try
//!
//! `cargo run --release -p dashboard`, and open <http://127.0.0.1:3000>. (It fills `dashboard.db` in the directory at
//! hand, 33 MB; `--help` tells the rest, `--store redis://127.0.0.1` shares it all.)
//!
//! - Sign in as `demo@example.com` with the password `demo` for a list of your devices.
//! - Without a browser: `curl -i 127.0.0.1:3000/api/dashboard/1`, twice; with `-H 'x-merchant-id: m-1'` two hundred times
//!   in a minute it is refused; so is what an address sends beyond 500 a second.
//! - Change a row by hand, in the `sqlite3` shell say: every page that shows it is new.
//! - Two processes on one Redis share no pages of another port, as that is part of the key: ask both with one `Host`,
//!   `curl -H 'host: app'`.
//! - Browsers and curl keep `Secure` cookies of `http://localhost` and `http://127.0.0.1`. At any other address it needs
//!   TLS in front, or `--insecure-cookies`, with which whoever listens has the session.
//!
//! # Where it stands
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
