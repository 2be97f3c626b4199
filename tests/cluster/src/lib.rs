//! What the tests of several processes on one Redis share.
//!
//! A [`Cluster`] is one Redis, one [`Database`] and some [`Node`]s: each is the application ([`app`]) in a
//! process of its own, behind a proxy of its own. The database is in the test, which so knows every
//! version, counts every fetch, and can keep any of them waiting. What a [`Client`] may be answered is
//! known from the [`Ledger`]; [`Chaos`] breaks what can break, and [`Unchecked`] shows what the ledger
//! would see if the cache did not look at positions.
//!
//! Like the support crate this is a library for tests: what goes wrong in it panics, with a message that
//! says what.

pub mod app;
mod chaos;
mod client;
mod cluster;
mod database;
mod ledger;
mod node;
mod schedule;
mod unchecked;

pub use self::{
    chaos::Chaos,
    client::{Answer, Client},
    cluster::{Cluster, Setup},
    database::Database,
    ledger::{Ledger, Report, Subject},
    node::{Life, Node},
    schedule::{Plan, Schedule},
    unchecked::Unchecked,
};

use std::time::Duration;

/// What must happen, however long a busy machine takes.
pub const LONG: Duration = Duration::from_secs(20);
