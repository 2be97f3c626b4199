//! What must be true of sessions, on both stores.

#[path = "../common/mod.rs"]
mod common;

mod cookies;
mod failing;
mod increments;
mod lifetimes;
mod planted;
mod races;
mod revival;
mod rotation;
mod updates;
mod users;
