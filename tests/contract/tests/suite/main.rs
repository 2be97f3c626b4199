//! The suite itself, put to the test: what keeps the contract passes, what breaks it is caught.

#![allow(clippy::unwrap_used, missing_debug_implementations)]

mod broken;
mod kept;
mod layers;
