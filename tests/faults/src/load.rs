use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinSet;
use tower_keep_test_support::eventually;

use crate::{Client, Hiring, LONG, Ledger, Random, Timings, visitor::Visitor};

/// Clients that ask an application one question after the other and check every answer, until told to
/// stop.
#[derive(Debug)]
pub struct Load {
    clients: JoinSet<Timings>,
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
}

impl Load {
    /// The ledger of the candidates that a load changes and reads.
    #[must_use]
    pub fn ledger(hiring: &Hiring) -> Arc<Ledger> {
        Arc::new(Ledger::of(hiring, 1..=CANDIDATES))
    }

    /// Clients that read and now and then change: what one was told has been done, all see.
    pub async fn start(address: SocketAddr, ledger: &Arc<Ledger>, seed: u64) -> Self {
        Self::of(address, ledger, seed, Role::Writers).await
    }

    /// Clients that only read, of another process than the writers': what they see may be this old.
    pub async fn readers(
        address: SocketAddr,
        ledger: &Arc<Ledger>,
        seed: u64,
        grace: Duration,
    ) -> Self {
        Self::of(address, ledger, seed, Role::Readers { grace }).await
    }

    /// How long the answers take without a cache, with as many clients at once.
    pub async fn uncached(address: SocketAddr, ledger: &Arc<Ledger>, seed: u64) -> Timings {
        let load = Self::of(address, ledger, seed, Role::Uncached).await;
        load.goes_on(60 * CLIENTS).await;
        load.finish().await
    }

    async fn of(address: SocketAddr, ledger: &Arc<Ledger>, seed: u64, role: Role) -> Self {
        let mut load = Self {
            clients: JoinSet::new(),
            stop: Arc::default(),
            answers: Arc::default(),
        };
        for number in 0..CLIENTS {
            let visitor = Visitor {
                client: Client::connect(address).await,
                ledger: ledger.clone(),
                random: Random::new(seed.wrapping_add(number as u64)),
                own: role.writes().then_some(number as i64 + 1),
                candidates: CANDIDATES,
                grace: role.grace(),
                uncached: matches!(role, Role::Uncached),
                timings: Timings::default(),
            };
            let (stop, answers) = (load.stop.clone(), load.answers.clone());
            load.clients.spawn(visit(visitor, stop, answers));
        }
        load
    }

    /// Waits for so many more answers.
    ///
    /// # Panics
    ///
    /// If they do not come: a client found something wrong, or hangs.
    pub async fn goes_on(&self, answers: usize) {
        let goal = self.answers.load(Ordering::Relaxed) + answers;
        eventually(LONG, async || {
            self.stop.load(Ordering::Relaxed) || self.answers.load(Ordering::Relaxed) >= goal
        })
        .await;
    }

    /// Lets the load go on for this long.
    pub async fn goes_on_for(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Ends it.
    ///
    /// # Panics
    ///
    /// If a client got a wrong answer, with what it was.
    pub async fn finish(mut self) -> Timings {
        self.stop.store(true, Ordering::Relaxed);
        let mut timings = Timings::default();
        while let Some(client) = self.clients.join_next().await {
            match client {
                Ok(more) => timings.add(&more),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        timings
    }
}

#[derive(Clone, Copy, Debug)]
enum Role {
    Writers,
    Readers { grace: Duration },
    Uncached,
}

impl Role {
    fn writes(self) -> bool {
        !matches!(self, Self::Readers { .. })
    }

    fn grace(self) -> Duration {
        match self {
            Self::Readers { grace } => grace,
            Self::Writers | Self::Uncached => Duration::ZERO,
        }
    }
}

async fn visit(mut visitor: Visitor, stop: Arc<AtomicBool>, answers: Arc<AtomicUsize>) -> Timings {
    // One that fails ends the others' waiting too.
    let stopping = StopOnPanic(&stop);
    while !stop.load(Ordering::Relaxed) {
        visitor.ask().await;
        answers.fetch_add(1, Ordering::Relaxed);
    }
    drop(stopping);
    visitor.timings
}

struct StopOnPanic<'a>(&'a AtomicBool);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Enough to keep two cores busy.
const CLIENTS: usize = 4;

/// Those on the first page of the list; the clients own the first of them.
const CANDIDATES: i64 = 12;
