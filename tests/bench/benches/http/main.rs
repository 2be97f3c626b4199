//! The same over sockets: how much of a handler's throughput is left behind the layers.
//!
//! A server on one thread, 64 clients on another that each wait for their answer before they ask
//! again. The two that are compared take turns, half a second each, and each turn is compared with
//! the one beside it, so that what else the machine does hits both alike. The first row compares the
//! bare handler with itself: as far from 1 as that is, a ratio means nothing. The time that the
//! server's thread worked for each request stands beside the rates.

#![allow(clippy::print_stdout, reason = "a table is what it is for")]

mod asked;
mod cache;
mod client;
mod peers;
mod plan;
mod rate_limit;
mod server;
mod sessions;
mod threads;
mod turns;

use tower_keep_bench::Bare;

use asked::Asked;
use plan::Plan;
use server::serve;
use threads::Threads;
use turns::print_heading;

fn main() {
    let Some(plan) = Plan::from_args() else {
        return;
    };
    let threads = Threads::new();
    let bare = Asked::of(threads.servers.block_on(serve(Bare::new())));
    let again = Asked::of(threads.servers.block_on(serve(Bare::new())));
    print_heading();
    plan.compare(&threads, "bare handler again", [bare, again], None);
    cache::run(&plan, &threads, bare);
    rate_limit::run(&plan, &threads, bare);
    sessions::run(&plan, &threads, bare);
}
