//! The same over sockets: how much of a handler's throughput is left behind the layer.
//!
//! A server on one thread, 64 clients on another that each wait for their answer before they ask
//! again. The two that are compared take turns, half a second each, and each turn is compared with
//! the one beside it, so that what else the machine does hits both alike. The first row compares the
//! bare handler with itself: as far from 1 as that is, a ratio means nothing. The time that the
//! server's thread worked for each request stands beside the rates.

#![allow(clippy::print_stdout, reason = "a table is what it is for")]

mod client;
mod server;

use std::{net::SocketAddr, time::Duration};

use tokio::runtime::{Builder, Runtime};
use tower::Layer;
use tower_keep_bench::{Bare, SecondLevel};
use tower_keep_cache::CacheLayer;
use tower_keep_store::Store;

use client::{check, requests_in};
use server::serve;

fn main() {
    // Cargo builds and starts benchmarks for other reasons too.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let threads = Threads::new();
    let Threads { servers, clients } = &threads;
    let redis = servers.block_on(SecondLevel::start(CLIENTS));
    let cached = CacheLayer::new(Store::memory()).layer(Bare::new());
    let bare = servers.block_on(serve(Bare::new()));
    let again = servers.block_on(serve(Bare::new()));
    let first_level = servers.block_on(serve(cached));
    let bare_get = servers.block_on(serve(redis.bare));
    let second_level = servers.block_on(serve(redis.cached));

    for client in 0..CLIENTS {
        clients.block_on(check(first_level, client, "fwd=uri-miss"));
        clients.block_on(check(first_level, client, ";hit;"));
        clients.block_on(check(second_level, client, ";hit;"));
    }
    println!(
        "\n{:<20} {:>11} {:>11} {:>7} {:>13} {:>9} {:>9} {:>7}",
        "", "requests/s", "baseline", "ratio", "10..90 %", "CPU µs", "baseline", "ratio"
    );
    let rows = [
        ("bare handler again", bare, again, None),
        ("first-level hit", bare, first_level, Some(0.9)),
        ("second-level hit", bare_get, second_level, Some(0.85)),
    ];
    for (name, baseline, subject, target) in rows {
        compare(&threads, baseline, subject).print(name, target);
    }
}

/// Turns of two that are compared: baseline, subject.
struct Turns(Vec<[Turn; 2]>);

fn compare(threads: &Threads, baseline: SocketAddr, subject: SocketAddr) -> Turns {
    let turn = |address| Turn::take(threads, address);
    turn(baseline);
    turn(subject);
    let pairs = (0..TURNS).map(|number| {
        // Who goes first changes too: a drift would favour one of them.
        if number % 2 == 0 {
            let first = turn(baseline);
            [first, turn(subject)]
        } else {
            let first = turn(subject);
            [turn(baseline), first]
        }
    });
    Turns(pairs.collect())
}

/// What one of them did in its time.
struct Turn {
    /// Requests per second.
    rate: f64,
    /// Seconds of the server's thread for each request. Less disturbed by what else the machine does.
    cpu: f64,
}

impl Turn {
    fn take(threads: &Threads, server: SocketAddr) -> Self {
        let before = threads.server_time();
        let asking = requests_in(TURN, server, CLIENTS);
        let count = threads.clients.block_on(asking) as f64;
        let spent = threads.server_time() - before;
        Self {
            rate: count / TURN.as_secs_f64(),
            cpu: spent / count,
        }
    }
}

impl Turns {
    fn print(&self, name: &str, target: Option<f64>) {
        let sorted = |value: fn(&[Turn; 2]) -> f64| {
            let mut values: Vec<_> = self.0.iter().map(value).collect();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let median = |value| sorted(value)[TURNS / 2];
        let ratio = median(|[baseline, subject]| subject.rate / baseline.rate);
        let target = target.map_or(String::new(), |least| {
            let verdict = if ratio >= least { "met" } else { "MISSED" };
            format!("at least {least}: {verdict}")
        });
        let spread = sorted(|[baseline, subject]| subject.rate / baseline.rate);
        println!(
            "{name:<20} {:>11.0} {:>11.0} {ratio:>7.3} {:>6.2}..{:<5.2} {:>9.2} {:>9.2} {:>7.3}  {target}",
            median(|[_, subject]| subject.rate),
            median(|[baseline, _]| baseline.rate),
            spread[TURNS / 10],
            spread[TURNS - 1 - TURNS / 10],
            median(|[_, subject]| subject.cpu * 1e6),
            median(|[baseline, _]| baseline.cpu * 1e6),
            median(|[baseline, subject]| baseline.cpu / subject.cpu),
        );
    }
}

/// One thread for the servers, one for the clients: what is measured is what one thread can serve.
struct Threads {
    servers: Runtime,
    clients: Runtime,
}

impl Threads {
    fn new() -> Self {
        let one = || {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(1).enable_all();
            builder.build().expect("a runtime")
        };
        Self {
            servers: one(),
            clients: one(),
        }
    }

    /// Seconds that the servers' thread has worked; not a number where the system does not tell.
    fn server_time(&self) -> f64 {
        let asking = self.servers.spawn(async {
            let times = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
            times.split(' ').next()?.parse::<f64>().ok()
        });
        let nanos = self.servers.block_on(asking).expect("it does not panic");
        nanos.map_or(f64::NAN, |nanos| nanos / 1e9)
    }
}

const CLIENTS: usize = 64;
const TURNS: usize = 21;
const TURN: Duration = Duration::from_millis(500);
