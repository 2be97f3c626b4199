//! Sessions where processes are killed, requests are given up, and Redis loses what it had.

#[path = "../common/mod.rs"]
mod common;
mod records;
mod trial;

mod cancelled;
mod cut;
mod forgotten;
mod given_up;
mod left;
mod loading;
mod restarted;

/// Processes run a site on axum.
#[cfg(feature = "axum")]
mod process;
#[cfg(feature = "axum")]
mod site;
#[cfg(feature = "axum")]
mod visitor;

#[cfg(feature = "axum")]
mod killed;
#[cfg(feature = "axum")]
mod schedule;
#[cfg(feature = "axum")]
mod two_processes;
