use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tower_keep_test_support::{Gate, Random};

/// Items and their versions, which count from 1: what all processes ask, and the test changes.
///
/// An answer is the version of the moment when the question came, however long it then takes: a fetch that
/// an invalidation overtakes brings what was before.
#[derive(Debug)]
pub struct Database {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    versions: Mutex<Vec<u64>>,
    fetches: AtomicUsize,
    gate: Gate,
    commits: Gate,
    random: Mutex<Random>,
    slow_one_in: AtomicU64,
    slowest_micros: AtomicU64,
}

impl Database {
    /// A database of so many items.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub async fn start(items: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("the loopback interface has a free port");
        let address = listener.local_addr().expect("a bound listener");
        let state = Arc::new(State {
            versions: Mutex::new(vec![1; items]),
            fetches: AtomicUsize::new(0),
            gate: Gate::opened(),
            commits: Gate::opened(),
            random: Mutex::new(Random::new(1)),
            slow_one_in: AtomicU64::new(0),
            slowest_micros: AtomicU64::new(0),
        });
        let task = tokio::spawn(listen(listener, state.clone()));
        Self {
            address,
            state,
            task,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes one answer of so many take a random time of up to `slowest`.
    pub fn slow(&self, one_in: u64, slowest: Duration, random: Random) {
        *lock(&self.state.random) = random;
        let micros = u64::try_from(slowest.as_micros()).expect("short");
        self.state.slowest_micros.store(micros, Ordering::SeqCst);
        self.state.slow_one_in.store(one_in, Ordering::SeqCst);
    }

    /// What every answer passes on its way.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.state.gate
    }

    /// What the answer to a change passes, when it has been made.
    #[must_use]
    pub fn commits(&self) -> &Gate {
        &self.state.commits
    }

    /// How often it was asked.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.state.fetches.load(Ordering::SeqCst)
    }

    /// The version that an item has now.
    #[must_use]
    pub fn version(&self, item: u64) -> u64 {
        lock(&self.state.versions)[index(item)]
    }

    /// How many items it has.
    #[must_use]
    pub fn items(&self) -> usize {
        lock(&self.state.versions).len()
    }

    /// Changes an item; its new version.
    #[allow(clippy::must_use_candidate)] // most are made for their effect
    pub fn commit(&self, item: u64) -> u64 {
        self.commit_all([item])[&item]
    }

    /// Changes items, each once; their new versions.
    #[allow(clippy::must_use_candidate)]
    pub fn commit_all(&self, items: impl IntoIterator<Item = u64>) -> BTreeMap<u64, u64> {
        let mut committed = BTreeMap::new();
        let mut versions = lock(&self.state.versions);
        for item in items {
            let committed = committed.entry(item);
            committed.or_insert_with(|| next(&mut versions, item));
        }
        committed
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    async fn answer(&self, item: u64) -> u64 {
        let version = lock(&self.versions)[index(item)];
        self.fetches.fetch_add(1, Ordering::SeqCst);
        self.gate.pass().await;
        let pause = self.pause();
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        version
    }

    /// Changes the item, then keeps who asked for that waiting.
    async fn change(&self, item: u64) -> u64 {
        let version = next(&mut lock(&self.versions), item);
        self.commits.pass().await;
        version
    }

    fn pause(&self) -> Duration {
        let one_in = self.slow_one_in.load(Ordering::SeqCst);
        let slowest = self.slowest_micros.load(Ordering::SeqCst);
        let mut random = lock(&self.random);
        if one_in == 0 || !random.one_in(one_in) {
            return Duration::ZERO;
        }
        Duration::from_micros(random.below(slowest))
    }
}

async fn listen(listener: TcpListener, state: Arc<State>) {
    // They end with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        connections.spawn(async move {
            let _who_asked_may_be_killed = serve(stream, &state).await;
        });
    }
}

async fn serve(stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufStream::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let words = line.trim_end();
        let is_change = words.starts_with('+');
        let item = words.trim_start_matches('+').parse();
        let item = item.map_err(io::Error::other)?;
        let version = match is_change {
            true => state.change(item).await,
            false => state.answer(item).await,
        };
        stream.write_all(format!("{version}\n").as_bytes()).await?;
        stream.flush().await?;
        line.clear();
    }
    Ok(())
}

fn next(versions: &mut [u64], item: u64) -> u64 {
    let version = &mut versions[index(item)];
    *version += 1;
    *version
}

fn index(item: u64) -> usize {
    usize::try_from(item).expect("a small number")
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
