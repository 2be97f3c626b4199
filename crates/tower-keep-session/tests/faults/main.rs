//! Sessions where processes are killed, requests are given up, and Redis loses what it had.

#[path = "../common/mod.rs"]
mod common;
mod process;
mod site;
mod trial;
mod visitor;

mod cancelled;
mod cut;
mod forgotten;
mod given_up;
mod killed;
mod left;
mod loading;
mod restarted;
mod schedule;
mod two_processes;
