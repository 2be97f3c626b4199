//! All processes together: what each tells through the store, and what becomes of the sum when it cannot.

#[path = "../common/mod.rs"]
mod common;
mod garbage;
mod outage;
mod processes;
mod sums;
mod times;
mod tools;
