//! What must be true of sessions, on both stores.

#[path = "../common/mod.rs"]
mod common;

mod increments;
mod races;
mod revival;
mod updates;
