//! What the tests of whole applications under faults share.
//!
//! The application is the dashboard, in this process ([`Site`]) or as a process of its own
//! ([`Process`]), on a real Redis and a real database file ([`Hiring`]). Clients ([`Client`], and
//! many of them: [`Load`]) ask it over HTTP. What they may be told is known from the [`Ledger`]: who
//! changed which candidate when.
//!
//! Like the servers and proxies of the support crate, this is a library for tests: what goes wrong
//! in it panics, with a message that says what.

mod client;
mod hiring;
mod ledger;
mod load;
mod process;
mod recovery;
mod site;
mod timings;
mod visitor;

pub use tower_keep_test_support::Random;

pub use self::{
    client::{Answer, Client},
    hiring::Hiring,
    ledger::{Ledger, STATUSES},
    load::Load,
    process::{Process, run_if_asked},
    recovery::{caching_returns, restart, resume, shares},
    site::Site,
    timings::{Kind, Timings},
};

use std::time::Duration;

/// The deadline of a store step, unless a test says otherwise.
pub const DEADLINE: Duration = Duration::from_millis(50);

/// How soon hits must be back once Redis is.
pub const RECOVERY: Duration = Duration::from_secs(2);

/// How long a process may serve what another has invalidated while Redis cannot tell it.
pub const STALENESS_BOUND: Duration = Duration::from_secs(5);

/// What a busy machine may add to any bound; less than any outage here lasts.
pub const SLACK: Duration = Duration::from_millis(1500);

/// What must happen, however long a busy machine takes.
pub const LONG: Duration = Duration::from_secs(20);
