//! Two services, called in turns.

#![allow(clippy::print_stdout, reason = "a table is what it is for")]

use std::{
    convert::Infallible,
    hint::spin_loop,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use tower::Service;
use tower_keep_bench::{Request, exchange, now};

/// The least time of one call, bare and counted, in nanoseconds.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) bare: f64,
    pub(crate) counted: f64,
}

/// Calls both in short batches, one after the other, on so many threads at the same time. The least of many is
/// the time without whatever else the machine does; a batch in which a thread had to wait is not among those.
pub(crate) fn measure<S, T, B, C>(
    bare: &S,
    counted: &T,
    requests: &[Request],
    (threads, rounds): (usize, usize),
) -> Pair
where
    S: Service<Request, Response = Response<B>, Error = Infallible> + Clone + Sync,
    T: Service<Request, Response = Response<C>, Error = Infallible> + Clone + Sync,
    B: Body<Data = Bytes, Error = Infallible>,
    C: Body<Data = Bytes, Error = Infallible>,
{
    let meeting = Meeting::of(threads);
    let times: Vec<Vec<Pair>> = thread::scope(|scope| {
        let one = |_| {
            scope.spawn(|| {
                let (mut bare, mut counted) = (bare.clone(), counted.clone());
                let mut place = 0;
                let round = |_| Pair {
                    bare: batch(&mut bare, requests, &mut place, &meeting),
                    counted: batch(&mut counted, requests, &mut place, &meeting),
                };
                (0..rounds).map(round).collect()
            })
        };
        let running: Vec<_> = (0..threads).map(one).collect();
        let join = |it: thread::ScopedJoinHandle<'_, _>| it.join().expect("no panic");
        running.into_iter().map(join).collect()
    });
    // Of each round the slowest thread, and of those the fastest round.
    let least = |of: fn(&Pair) -> f64| {
        let slowest = |round: usize| times.iter().map(|it| of(&it[round])).fold(0.0, f64::max);
        (0..rounds).map(slowest).fold(f64::INFINITY, f64::min)
    };
    Pair {
        bare: least(|pair| pair.bare),
        counted: least(|pair| pair.counted),
    }
}

/// Nanoseconds of one call.
fn batch<S, B>(service: &mut S, requests: &[Request], place: &mut usize, meeting: &Meeting) -> f64
where
    S: Service<Request, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes, Error = Infallible>,
{
    meeting.wait();
    let start = Instant::now();
    for _ in 0..CALLS {
        now(exchange(service, requests[*place].clone()));
        *place = (*place + 1) % requests.len();
    }
    start.elapsed().as_nanos() as f64 / CALLS as f64
}

/// Where threads wait for each other, awake: nobody is late by the time that waking takes.
struct Meeting {
    threads: usize,
    arrived: AtomicUsize,
}

impl Meeting {
    fn of(threads: usize) -> Self {
        Self {
            threads,
            arrived: AtomicUsize::new(0),
        }
    }

    fn wait(&self) {
        let number = self.arrived.fetch_add(1, Ordering::AcqRel);
        let all = (number / self.threads + 1) * self.threads;
        let mut spins = 0_u32;
        while self.arrived.load(Ordering::Acquire) < all {
            spins += 1;
            if spins.is_multiple_of(1000) {
                thread::yield_now();
            }
            spin_loop();
        }
    }
}

pub(crate) fn print_head() {
    println!(
        "{:<44} {:>9} {:>9} {:>11} {:>7}",
        "", "bare", "counted", "difference", "ratio"
    );
}

impl Pair {
    pub(crate) fn print(self, name: &str, target: Option<f64>) {
        let Self { bare, counted } = self;
        let over = counted - bare;
        let verdict = |most| if over <= most { "met" } else { "MISSED" };
        let target = target.map(|most| format!("at most {most} ns over: {}", verdict(most)));
        println!(
            "{name:<44} {bare:>6.0} ns {counted:>6.0} ns {over:>8.0} ns {:>7.2}  {}",
            bare / counted,
            target.unwrap_or_default()
        );
    }
}

const CALLS: usize = 500;
