//! What must be true of sessions, on both stores.

#[path = "../common/mod.rs"]
mod common;

mod cookies;
mod cost;
mod failing;
mod garbage;
mod hostile;
mod increments;
mod lifetimes;
mod outage;
mod periodic;
mod planted;
mod races;
mod revival;
mod rotation;
mod sizes;
mod streams;
mod tokens;
mod transports;
mod types;
mod updates;
mod users;
