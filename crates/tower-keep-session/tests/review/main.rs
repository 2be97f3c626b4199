//! What a hostile reviewer found. Each assertion that fails today is marked "FAILS".

#[path = "../common/mod.rs"]
mod common;

mod ends;
mod rotations;
