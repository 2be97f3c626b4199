//! One fetch for three processes: what the lease adds to a miss, and how long after the fetch the others have
//! its result. Each store of its own is a process in miniature.

#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;
use tower_keep_bench::store_on;
use tower_keep_cache::{Class, ObjectCache};
use tower_keep_test_support::{Gate, RedisServer, eventually};

type Values = ObjectCache<Vec<u8>>;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let server = RedisServer::start();
    println!(
        "what a waiter has later than the process that fetched (fetched → stored → pushed → read)"
    );
    for (callers, rounds) in [(1, 1_000), (100, 200)] {
        let mut late = wake(&server, callers, rounds).await;
        print(&format!("{callers} callers in each of 2 others"), &mut late);
    }
    println!("a cold call whose loader takes no time");
    for (name, lease) in [("without a lease", None), ("with a lease", Some(LEASE))] {
        let mut took = miss(&server, lease).await;
        print(name, &mut took);
    }
}

async fn values(server: &RedisServer, lease: Option<Duration>) -> Values {
    let mut class = Class::fresh_for(Duration::from_secs(60));
    if let Some(lease) = lease {
        class = class.lease(lease);
    }
    let store = store_on(server).await;
    ObjectCache::of_class(store, "value", class).expect("a good class")
}

/// Each round a key that nobody has: one process fetches, the others wait for it.
async fn wake(server: &RedisServer, callers: usize, rounds: usize) -> Vec<Duration> {
    let leading = values(server, Some(LEASE)).await;
    let others = [
        values(server, Some(LEASE)).await,
        values(server, Some(LEASE)).await,
    ];
    let mut late = Vec::new();
    for round in 0..rounds {
        let gate = Gate::closed();
        let key = (callers * 1_000_000 + round) as u64;
        let leader = call(&leading, key, &gate);
        eventually(PATIENCE, async || gate.waiters() == 1).await;
        let waiting: Vec<_> = others
            .iter()
            .flat_map(|other| (0..callers).map(|_| call(other, key, &gate)))
            .collect();
        eventually(PATIENCE, async || server.listeners() == others.len()).await;
        gate.open();
        let fetched = leader.await.expect("no panic");
        for one in waiting {
            let answered = one.await.expect("no panic");
            late.push(answered.saturating_duration_since(fetched));
        }
    }
    late
}

/// When it was answered.
fn call(values: &Values, key: u64, gate: &Gate) -> JoinHandle<Instant> {
    let (values, gate) = (values.clone(), gate.clone());
    tokio::spawn(async move {
        let load = || async {
            gate.pass().await;
            Ok::<_, Infallible>(vec![7; 1024])
        };
        let value = values.get_or_load(("value", key), &[], load).await;
        value.expect("it cannot fail");
        Instant::now()
    })
}

async fn miss(server: &RedisServer, lease: Option<Duration>) -> Vec<Duration> {
    let values = values(server, lease).await;
    let mut took = Vec::new();
    for round in 0..2_000_u64 {
        let key = round + u64::from(lease.is_some()) * 1_000_000_000 + 5_000_000_000;
        let began = Instant::now();
        let load = || async { Ok::<_, Infallible>(vec![7; 1024]) };
        let value = values.get_or_load(("value", key), &[], load).await;
        value.expect("it cannot fail");
        took.push(began.elapsed());
    }
    took
}

fn print(name: &str, all: &mut [Duration]) {
    all.sort_unstable();
    let at = |part: f64| all[((all.len() - 1) as f64 * part) as usize].as_micros();
    println!(
        "  {name}: median {} µs, 99 % within {} µs, all within {} µs ({} calls)",
        at(0.5),
        at(0.99),
        at(1.0),
        all.len()
    );
}

const LEASE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(10);
