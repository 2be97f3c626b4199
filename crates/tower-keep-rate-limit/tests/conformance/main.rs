//! One behaviour on both stores: random schedules of operations against a reference model, options that make
//! no sense, and what the documentation promises of the pieces.

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod bans;
mod bounds;
mod changing;
mod errors;
mod model;
mod operation;
mod plan;
mod promises;
mod regressions;
mod report;
mod run;
mod schedules;
mod shadows;
mod side;
mod spec;
mod told;
